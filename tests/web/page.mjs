// Drives ComfyUI's page in headless Chromium and prints, as JSON, what test_page.py asserts.
// node page.mjs URL PLAYWRIGHT_FOLDER CHROMIUM SCREENSHOT_FOLDER WORKFLOW.json...
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { browse, rest, url } from "./browser.mjs";

const { page, facts, putDown, path, close } = await browse({}, { width: 2400, height: 1350 });
facts.loaded = {};
await page.goto(url);
await page.waitForFunction(() => window.app?.graph && Object.keys(LiteGraph.registered_node_types).includes("FEBCacheApply"), null, { timeout: 90000 });
await page.waitForTimeout(1500);

const values = (type) => page.evaluate((type) => {
  const node = app.graph._nodes.find((node) => node.type === type);
  return Object.fromEntries(node.widgets.filter((widget) => widget.name !== "timeline").map((widget) => [widget.name, widget.value]));
}, type);
/** Clicks on a widget of the first node of a type, `share` of the way to its right end. */
async function click(type, name, share) {
  const [x, y] = await page.evaluate(([type, name, share]) => {
    const node = app.graph._nodes.find((node) => node.type === type), { ds, canvas } = app.canvas;
    [ds.scale, ds.offset[0], ds.offset[1]] = [1, 300 - node.pos[0], 300 - node.pos[1]];
    app.canvas.draw(true, true);
    const corner = canvas.getBoundingClientRect(), widget = node.widgets.find((widget) => widget.name === name);
    return [corner.x + 300 + 15 + share * (node.size[0] - 30), corner.y + 300 + widget.last_y + 10];
  }, [type, name, share]);
  await page.mouse.click(x, y);
  await page.waitForTimeout(500);
}

/** The values of the first node of a type once a key has changed them, or, if nothing changes, after a while. The page ignores keys while it restores
    a state, also after the values have changed; a busy machine takes seconds for it. */
async function after(key, type) {
  const before = JSON.stringify(await values(type));
  await page.waitForFunction(() => !app.extensionManager.workflow.activeWorkflow?.changeTracker?._restoringState);
  await page.keyboard.press(key);
  for (let tries = 0; tries < 100; tries++) {
    await page.waitForTimeout(100);
    if (JSON.stringify(await values(type)) !== before) break;
  }
  await page.waitForTimeout(1000);  // for the page to take its note of the state
  return values(type);
}

for (const file of rest) {
  const quiet = { showMissingNodesDialog: false, showMissingModelsDialog: false, silentAssetErrors: true };
  await page.evaluate(([graph, quiet]) => app.loadGraphData(graph, true, true, null, quiet), [JSON.parse(readFileSync(file)), quiet]);
  await page.evaluate(() => app.extensionManager.command.execute("Comfy.Canvas.FitView"));
  await page.waitForTimeout(1500);
  facts.loaded[basename(file)] = await page.evaluate(() => app.graph.serialize());
  await page.screenshot({ path: path(basename(file, ".json")) });
}

// Add a node by the search that a double click on the empty page opens.
await page.evaluate(() => app.graph.clear());
await page.mouse.dblclick(1200, 700);
await page.keyboard.type("FEB-Cache Apply", { delay: 30 });
await page.waitForTimeout(1000);
await page.keyboard.press("Enter");
await putDown(1200, 300);
facts.found = await page.evaluate(() => app.graph._nodes.map((node) => [node.type, node.title]));

facts.fresh = await values("FEBCacheApply");
await click("FEBCacheApply", "preset", 0.5);
await page.locator(".litemenu-entry", { hasText: /^fast$/ }).click();
await page.waitForTimeout(500);
facts.fast = await values("FEBCacheApply");
await page.locator(".feb-strip-advanced").click();
await click("FEBCacheApply", "warmup_steps", 1); // its arrow
facts.moved = await values("FEBCacheApply");
facts.undone = [];
for (let i = 0; i < 3; i++) facts.undone.push(await after("Control+z", "FEBCacheApply"));
await page.screenshot({ path: path("apply"), clip: { x: 0, y: 0, width: 1200, height: 1000 } });

// An API workflow is loaded by calling the widgets' callbacks.
const inputs = { preset: "fast", interval: 9, warmup_steps: 3 };
await page.evaluate((inputs) => app.loadApiJson({ 1: { class_type: "ABCacheApply", inputs, _meta: {} } }, "api"), inputs);
await page.waitForTimeout(500);
facts.api = await values("ABCacheApply");

await close();
