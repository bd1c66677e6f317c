// Both Apply nodes on one model: what their timelines show, edits of AB-Cache's, and subgraphs around the sampler and around a node; prints, as
// JSON, what test_pair.py asserts. ... RENDERING
import { browse, rest } from "./browser.mjs";

const [rendering] = rest, FEB = "FEBCacheApply", AB = "ABCacheApply";
const { page, facts, open, loadApi, view, path, close, ...tools } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue" });

/** What the strips of both nodes show, by class. */
const shown = () => page.evaluate(() => Object.fromEntries([app.graph, ...(app.graph.subgraphs?.values() ?? [])].flatMap(
  (graph) => graph._nodes.filter((node) => node.type.endsWith("CacheApply"))).map((node) => {
  const strip = node.widgets.find((widget) => widget.name === "timeline").element, cells = {};
  for (const cell of strip.querySelectorAll(".feb-strip-cell")) (cells[cell.dataset.kind] ??= []).push(cell.dataset.state);
  const widgets = Object.fromEntries(node.widgets.filter((widget) => widget.name !== "timeline").map((widget) => [widget.name, widget.value]));
  return [node.type, { cells, widgets, words: [...strip.querySelectorAll(".feb-strip-words p")].map((line) => line.textContent).join("\n"), editable: strip.classList.contains("feb-strip-editable"),
    ahead: strip.querySelectorAll("[data-ahead]").length }];
})));

async function until(condition) {
  let seen;
  for (const deadline = Date.now() + 60000; Date.now() < deadline; await page.evaluate(() => new Promise(requestAnimationFrame))) {
    seen = await shown();
    if (condition(seen)) return seen;
  }
  await page.screenshot({ path: path("pair_failed") });
  throw new Error(`never shown: ${condition}, last ${JSON.stringify(seen)}`);
}
const states = (seen, cls = AB) => Object.values(seen[cls]?.cells ?? {})[0]?.join() ?? "";
const shot = (name, cls = FEB) => tools.shot(cls, `pair_${rendering}_${name}`, { x: 0, y: 0, width: 1300, height: 1150 });

await open();
const graph = {
  1: { class_type: "TinyFlux", inputs: {} },
  2: { class_type: "EmptySD3LatentImage", inputs: { width: 256, height: 256, batch_size: 1 } },
  3: { class_type: FEB, inputs: { model: ["1", 0], preset: "custom", attention_interval: 3, mlp_interval: 2, warmup_steps: 3 } },
  4: { class_type: AB, inputs: { model: ["3", 0], preset: "custom", interval: 2, warmup_steps: 4, learn: false } },
  5: { class_type: "KSampler", inputs: { model: ["4", 0], seed: Math.floor(Math.random() * 1e9), steps: 24, cfg: 1, sampler_name: "euler", scheduler: "simple",
    positive: ["1", 1], negative: ["1", 1], latent_image: ["2", 0], denoise: 1 } },
  6: { class_type: "TinyEnd", inputs: { samples: ["5", 0] } },
};
await loadApi(graph, { [FEB]: [0, 0], [AB]: [520, 0] });
await tools.skipWithoutStrips(rendering);
facts.both = await until((seen) => seen[FEB]?.words.includes("KSampler, simple") && seen[AB]?.words.includes("KSampler, simple"));
await shot("both");

// FEB-Cache's cells cannot be changed here.
await view(FEB);
await page.locator('.feb-strip-cell[data-kind="mlp"][data-step="10"]').click();
await page.waitForTimeout(500);
facts.refused = await shown();

// AB-Cache's can: by a click, and by dragging, which undo takes back as one.
const cell = (step) => page.locator(`.feb-strip-cell[data-kind="model"][data-step="${step}"]`);
await cell(7).click();
facts.clicked = await until((seen) => states(seen) !== states(facts.refused));
for (const zoom of [0.6, 1]) {
  await view(FEB, zoom);
  const [from, to] = [await cell(12).boundingBox(), await cell(15).boundingBox()];
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 8 });
  facts.pending = await page.locator(".feb-strip-cell[data-pending]").evaluateAll((cells) => cells.map((cell) => Number(cell.dataset.step)));
  await page.screenshot({ path: path(`pair_${rendering}_dragging_${100 * zoom}`), clip: { x: 0, y: 0, width: 1300, height: 1150 } });
  await page.mouse.up();
  facts.dragged = await until((seen) => states(seen) !== states(facts.clicked));
  if (zoom === 1) await shot("edited");
  await page.mouse.click(1400, 1200);
  await page.keyboard.press("Control+z");
  facts.undone = await until((seen) => states(seen) === states(facts.clicked) && seen[FEB]?.cells.mlp); // both are drawn anew
}

// A run fills both.
await page.evaluate(() => app.queuePrompt(0, 1));
facts.ran = await until((seen) => [FEB, AB].every((cls) => seen[cls]?.words.includes("Last picture") && seen[cls].words.includes("Next picture: About")));
await shot("ran");

// Without a sampler: how many steps there will be is not seen.
const lead = (to) => page.evaluate(([cls, to]) => {
  const [node, sampler] = [cls, "KSampler"].map((type) => app.graph._nodes.find((node) => node.type === type));
  if (to) node.connect(0, sampler, "model");
  else sampler.disconnectInput(sampler.inputs.findIndex((input) => input.name === "model"));
}, [AB, to]);
await lead(false);
facts.lost = await until((seen) => seen[AB]?.words.includes("No sampler"));
await lead(true);
await until((seen) => seen[AB]?.words.includes("24 steps (KSampler, simple)"));

// The sampler in a subgraph, its steps shown outside; then AB-Cache and that subgraph in another one, with widgets of AB-Cache shown outside.
const wrap = (types) => page.evaluate((types) => {
  const nodes = app.graph._nodes.filter((node) => types.includes(node.type) || (types.includes("subgraph") && node.subgraph));
  return Boolean(app.graph.convertToSubgraph?.(new Set(nodes)));
}, types);
/** Sets a widget of a node that lies in the outer graph's subgraph where the user would: on this subgraph's node. Returns what that shows then. */
const promote = (cls, name, value) => page.evaluate(async ([cls, name, value]) => {
  const host = app.graph._nodes.find((node) => node.subgraph), inner = host.subgraph._nodes.find((node) => node.type === cls);
  const input = inner.inputs.find((input) => input.name === name), shown = () => host.widgets.find((widget) => widget.name === name);
  if (!shown()) host.subgraph.addInput(name, input.type).connect(input, inner);
  await new Promise((done) => setTimeout(done, 1000)); // nobody is faster
  shown().value = value;
  shown().callback?.(value, app.canvas, host);
  return Object.fromEntries(host.widgets.map((widget) => [widget.name, widget.value]));
}, [cls, name, value]);
const both = (seen, words) => [FEB, AB].every((cls) => seen[cls]?.words.includes(words));
facts.subgraphs = await wrap(["KSampler"]);
if (facts.subgraphs) {
  facts.inside = await until((seen) => both(seen, "24 steps (KSampler, simple)"));
  await promote("KSampler", "steps", 16);
  facts.promoted = await until((seen) => both(seen, "16 steps (KSampler, simple)"));
  await wrap([AB, "subgraph"]);
  await promote(AB, "computed_steps", "");
  await promote(AB, "warmup_steps", 10);
  facts.nested = await until((seen) => states(seen).startsWith(Array(10).fill("computed").join()) && both(seen, "16 steps (KSampler, simple)"));
  facts.chosen = await promote(AB, "preset", "quality");
  facts.moved = await promote(AB, "warmup_steps", 9);
  await shot("subgraph");
  await page.evaluate(() => app.queuePrompt(0, 1));
  facts.ranInside = await until((seen) => both(seen, "Last picture") && both(seen, "Next picture: About"));
}
await close();
