// ComfyUI's page in headless Chromium, for the scripts of this folder. Each is run as: node SCRIPT.mjs URL PLAYWRIGHT_FOLDER CHROMIUM SCREENSHOT_FOLDER ...
import { createRequire } from "node:module";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [url, playwright, executablePath, shots, ...rest] = process.argv.slice(2);
export { url, rest };

const OURS = /feb_cache|feb_ab_cache|\/extensions\/(cloned|feb-ab-cache)\//;
const local = (address) => !address.startsWith("http") || new URL(address).hostname === "127.0.0.1";
const SETTINGS = { "Comfy.TutorialCompleted": true, "Comfy.Workflow.Persist": false, "Comfy.RightSidePanel.IsOpen": false, "Comfy.VueNodes.Enabled": false, "Comfy.ColorPalette": "dark", "Comfy.Locale": "en", "Comfy.Minimap.Visible": false };

/**
 * A page with these settings. `facts` is what the script prints in the end; in it `noise`: messages and errors of our scripts; `errors`: all errors of
 * the page since it was opened (1.27.10 has one of its own while it opens); `served`: our scripts; `asked`: paths of the server that these asked for; `abroad`: addresses elsewhere that they asked for, none of which is reached;
 * `front_end`: its version.
 */
export async function browse(settings = {}, viewport = { width: 1500, height: 1300 }) {
  const { chromium } = createRequire(join(playwright, "x.js"))("playwright-core");
  const profile = mkdtempSync(join(tmpdir(), "page-"));
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
  const context = await chromium.launchPersistentContext(profile, { executablePath, viewport, args });
  const page = context.pages()[0];
  const facts = { noise: [], errors: [], asked: [], abroad: [], served: [] };
  page.on("console", (message) => OURS.test(message.text() + message.location().url) && facts.noise.push(message.text()));
  page.on("pageerror", (error) => {
    facts.errors.push(error.stack ?? String(error));
    if (OURS.test(error.stack ?? "")) facts.noise.push(String(error));
  });
  await page.route("**/*", (route) => (local(route.request().url()) ? route.continue() : route.abort()));
  const protocol = await context.newCDPSession(page); // it alone says which script a request comes from
  await protocol.send("Network.enable");
  protocol.on("Network.requestWillBeSent", ({ request, initiator }) => {
    const { pathname } = new URL(request.url);
    if (OURS.test(pathname) && pathname.endsWith(".js")) facts.served.push(pathname);
    if (!OURS.test(JSON.stringify(initiator.stack ?? initiator.url ?? ""))) return;
    if (!local(request.url)) facts.abroad.push(request.url);
    else if (!pathname.endsWith(".js")) facts.asked.push(pathname);
  });
  for (const [key, value] of Object.entries({ ...SETTINGS, ...settings })) {
    await fetch(`${url}/settings/${key}`, { method: "POST", body: JSON.stringify(value) });
  }
  const wait = (condition, argument) => page.waitForFunction(condition, argument, { timeout: 60000, polling: 50 });
  const tools = {
    page, facts, wait,

    /** Opens the page with an empty graph, ready for changes that undo takes back. */
    async open() {
      await page.goto(url);
      await wait(() => window.app?.graph && window.app.extensionManager && Object.keys(LiteGraph.registered_node_types).includes("FEBCacheApply"));
      await tools.skipWithoutRendering();
      await tools.load({ nodes: [], links: [], groups: [], config: {}, extra: {}, version: 0.4, last_node_id: 0, last_link_id: 0 });
      await wait(() => app.extensionManager.workflow?.activeWorkflow?.changeTracker);
      facts.errors.length = 0;
    },

    /** Loads a workflow, in the format that the page saves. */
    load: (graph) => page.evaluate((graph) => app.loadGraphData(graph), graph),

    /** Loads an API workflow and puts the nodes of it where `place` says, by class; others out of sight. */
    async loadApi(graph, place) {
      await page.evaluate((graph) => { app.graph.clear(); return app.loadApiJson(graph, "queued"); }, graph);
      await page.evaluate((place) => {
        const apart = JSON.parse(JSON.stringify(app.graph.serialize()));
        apart.nodes.forEach((node, i) => { node.pos = place[node.type] ?? [3000 + 450 * (i % 2), 400 * i]; });
        return app.loadGraphData(apart);
      }, place);
    },

    /** The part of the page that a node of this class is shown in, at this zoom. */
    async view(cls, zoom = 1) {
      await page.evaluate(([cls, zoom]) => {
        const node = app.graph._nodes.find((node) => node.type === cls), { ds } = app.canvas;
        [ds.scale, ds.offset[0], ds.offset[1]] = [zoom, 150 / zoom - node.pos[0], 120 / zoom - node.pos[1]];
        app.canvas.setDirty(true, true);
      }, [cls, zoom]);
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done)))));
    },

    /** Screenshots of a node, at 60 and 100 %. */
    async shot(cls, name, clip = { x: 60, y: 0, width: 700, height: 1200 }) {
      for (const zoom of [0.6, 1]) {
        await tools.view(cls, zoom);
        await page.screenshot({ path: tools.path(`${name}_${100 * zoom}`), clip });
      }
    },

    /** Ends the script here where the front end has no Nodes 2.0 and they were asked for. */
    async skipWithoutRendering() {
      if (!settings["Comfy.VueNodes.Enabled"]) return;
      if (await page.waitForFunction(() => LiteGraph.vueNodesMode, null, { timeout: 20000 }).catch(() => null)) return; // set some time after the page opens
      facts.unsupported = "this front end has no Nodes 2.0";
      await tools.close();
      process.exit(0);
    },

    /** Ends the script here where the front end's Vue rendering shows no DOM widgets. The strip of an Apply node must be on the page, or come. */
    async skipWithoutStrips(rendering) {
      if (rendering !== "vue" || (await page.waitForSelector("[data-node-id] .feb-strip", { timeout: 10000 }).catch(() => null))) return;
      facts.unsupported = "this front end's Vue rendering shows no DOM widgets";
      await tools.close();
      process.exit(0);
    },

    /** Puts the only node down here, where the front end hangs a node from the search on the pointer until a click. */
    async putDown(x, y) {
      await page.waitForTimeout(500);
      await page.mouse.move(x, y);
      for (let tries = 0; tries < 10 && (await page.evaluate(() => Boolean(app.graph._nodes[0].flags.ghost))); tries++) {
        await page.mouse.click(x, y);
        await page.waitForTimeout(200);
      }
    },

    /** Shows the other widgets of the first Apply node, or hides them, by the button that this front end and rendering have for it. */
    async more() {
      const own = page.locator(".feb-strip-advanced"), theirs = page.locator('[data-testid="advanced-inputs-button"]');
      const button = ((await theirs.count()) ? theirs : own).first();
      if (!(await button.isVisible())) return; // Nodes 2.0 before 1.39 shows all widgets
      await button.click();
      await page.waitForTimeout(400); // the node grows
    },

    path: (name) => join(shots, `${name}.png`),

    /** Prints the facts, and ends. */
    async close() {
      facts.front_end = await page.evaluate(() => window.__COMFYUI_FRONTEND_VERSION__);
      await context.close();
      rmSync(profile, { recursive: true, force: true });
      console.log(JSON.stringify(facts));
    },
  };
  return tools;
}
