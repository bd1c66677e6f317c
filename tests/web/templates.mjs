// The commands of speed_up.js on workflows, in headless Chromium; prints, as JSON, what became of each.
// node templates.mjs URL PLAYWRIGHT_FOLDER CHROMIUM SCREENSHOT_FOLDER RENDERING back|on FILE.json...
// `back`: undo and take-out are tried, too, and a picture is taken.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { browse, rest } from "./browser.mjs";

const [rendering, how, ...files] = rest, LIMIT = 60000; // milliseconds for a workflow
const { page, facts, open, path, close } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue" });
const run = (command) => page.evaluate((command) => app.extensionManager.command.execute(command), command);
const prompt = () => page.evaluate(async () => (await app.graphToPrompt()).output);
facts.templates = {};

const messages = () => page.evaluate(() => [...document.querySelectorAll('.p-toast-message, [data-testid="toast"]')].map((toast) => toast.innerText));

/** The nodes of the page's root graph and subgraphs, by graph, without what loading makes anew. */
const shape = () => page.evaluate(() => {
  const root = app.rootGraph ?? app.graph, graphs = [root, ...(root.subgraphs?.values() ?? [])];
  return graphs.map((graph) => graph._nodes.map((node) => [String(node.id), node.type, ...node.pos].join(" ")).sort());
});

/** What the scripts of the pack find: how each model is sampled, and what the strips of the nodes say. */
const seen = () => page.evaluate(async (dir) => {
  const [{ sampled }, { graphsOf, idOf }] = await Promise.all(["speed_up.js", "links.js"].map((file) => import(dir + file)));
  const models = sampled(app.graph).map(({ node, slot, sampling }) => ({ id: idOf(node), type: node.type, input: node.inputs[slot].name, sampling }));
  const nodes = graphsOf(app.graph).flatMap((graph) => graph._nodes).filter((node) => node.type === "ABCacheApply");
  const words = (node) => node.widgets.find(({ name }) => name === "timeline")?.element.querySelector(".feb-strip-words:has(p)")?.textContent ?? "";
  for (let tries = 0; tries < 160 && !nodes.every(words); tries++) await new Promise((done) => setTimeout(done, 50));
  await new Promise((done) => setTimeout(done, 300)); // another look, in case the first came before the links
  const boxes = (node) => node.graph._nodes.map(({ id, pos, size }) => ({ id: String(id), box: [...pos, ...size] }));
  return { models, nodes: nodes.map((node) => ({ id: idOf(node), inner: String(node.id), words: words(node), boxes: boxes(node) })) };
}, facts.served.find((name) => name.endsWith("/speed_up.js")).replace("speed_up.js", ""));

async function tried(file) {
  const workflow = JSON.parse(readFileSync(file)), types = [workflow, ...(workflow.definitions?.subgraphs ?? [])].flatMap((graph) => graph.nodes.map(({ type }) => type));
  const subgraphs = new Set((workflow.definitions?.subgraphs ?? []).map(({ id }) => id));
  const missing = await page.evaluate((types) => types.filter((type) => !LiteGraph.registered_node_types[type]), [...new Set(types)].filter((type) => !subgraphs.has(type)));
  await page.evaluate((workflow) => app.loadGraphData(workflow, true, true, null, { showMissingNodesDialog: false, showMissingModelsDialog: false, silentAssetErrors: true }), workflow);
  await page.waitForTimeout(200);
  const found = { missing, shape: await shape(), before: await prompt() };
  await run("FebAbCache.SpeedUp");
  found.said = (await messages()).at(-1);
  Object.assign(found, await seen());
  found.after = await prompt();
  if (how === "back") await back(found, basename(file, ".json"));
  return found;
}

async function back(found, name) {
  await page.evaluate(() => { // the graph that a node was put in
    const root = app.rootGraph ?? app.graph, inner = [...(root.subgraphs?.values() ?? [])].find((graph) => graph._nodes.some(({ type }) => type === "ABCacheApply"));
    if (inner) app.canvas.setGraph(inner);
  });
  await page.waitForTimeout(300);
  await run("Comfy.Canvas.FitView");
  await page.waitForTimeout(900);
  await page.screenshot({ path: path(`speed_up_${rendering}_${name}`) });
  await page.evaluate(() => app.canvas.setGraph(app.rootGraph ?? app.graph));
  await run("Comfy.Undo");
  await page.waitForTimeout(500);
  found.undone = { prompt: await prompt(), shape: await shape() };
  await run("FebAbCache.SpeedUp");
  found.again = await prompt();
  await run("FebAbCache.SpeedUp");
  found.twice = await prompt();
  await run("FebAbCache.TakeOut");
  found.out = { prompt: await prompt(), shape: await shape() };
}

const late = () => new Promise((_, fail) => setTimeout(() => fail(new Error("took too long")), LIMIT));
await open();
for (const file of files) {
  const from = facts.errors.length;
  try {
    facts.templates[basename(file, ".json")] = await Promise.race([tried(file), late()]);
  } catch (error) {
    facts.templates[basename(file, ".json")] = { error: String(error) };
    await open();
  }
  facts.templates[basename(file, ".json")].errors = facts.errors.slice(from);
}
await close();
