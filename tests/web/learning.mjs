// AB-Cache Apply learns, and what its strip says before, meanwhile and after; what leaves learning, and what does not hold elsewhere; prints, as JSON, what
// test_learning_page.py asserts. ... RENDERING THEME SCHEDULER
import { browse, rest } from "./browser.mjs";
import { stripOf } from "./strip.mjs";

const [rendering, theme, scheduler] = rest, AB = "ABCacheApply";
const own = String([...`${rendering} ${theme}`].reduce((sum, letter) => sum + letter.charCodeAt(), 0)); // its id: the error that ends a page of this test is kept
const { page, facts, open, loadApi, view, path, close, ...tools } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue", "Comfy.ColorPalette": theme });
const shot = (name) => tools.shot(AB, `learning_${rendering}_${theme}_${name}`);
const { until, cell } = stripOf({ page, path });
const says = (words) => until((seen) => seen.front.includes(words));

await open();
await loadApi({
  1: { class_type: "TinyFlux", inputs: {} },
  2: { class_type: "EmptySD3LatentImage", inputs: { width: 256, height: 256, batch_size: 1 } },
  [own]: { class_type: AB, inputs: { model: ["1", 0], preset: "auto", learn: true } },
  4: { class_type: "KSampler", inputs: { model: [own, 0], seed: Math.floor(Math.random() * 1e9), steps: 24, cfg: 1, sampler_name: "euler", scheduler,
    positive: ["1", 1], negative: ["1", 1], latent_image: ["2", 0], denoise: 1 } },
  5: { class_type: "TinyEnd", inputs: { samples: ["4", 0] } },
}, { [AB]: [0, 0] });
await tools.skipWithoutStrips(rendering);
facts.first = await says("First picture");
await shot("first");

// The first picture, and what follows it unseen.
await page.evaluate(() => {
  [window.fronts, window.bar] = [[], []];
  const lines = document.querySelector(".feb-strip-lines");
  new MutationObserver(() => window.fronts.push(lines.querySelector("p").textContent)).observe(lines, { childList: true });
  comfyAPI.api.api.addEventListener("progress", ({ detail }) => window.bar.push([detail.node, detail.value, detail.max]));
  comfyAPI.api.api.addEventListener("feb_cache.progress", ({ detail }) => detail.learning && (window.state = detail));
  return app.queuePrompt(0, 1);
});
facts.learned = await says("Learned.");
Object.assign(facts, await page.evaluate(() => ({ fronts: window.fronts, bar: window.bar })));
await shot("learned");
await page.locator(".feb-strip-more > summary").click();
await shot("details");
await page.evaluate(() => comfyAPI.api.api.dispatchEvent(new CustomEvent("feb_cache.progress", { detail: window.state })));
await says("Learning:");
await shot("learning");

/** Queues another picture. */
const queue = (seed) => page.evaluate((seed) => {
  app.graph._nodes.find(({ type }) => type === "KSampler").widgets.find(({ name }) => name === "seed").value = seed;
  return app.queuePrompt(0, 1);
}, seed);
await queue(7);
facts.second = await says("Last picture");
await shot("second");

/** Sets a widget as one change that undo takes back. */
const set = (type, name, value) => page.evaluate(([type, name, value]) => {
  const node = app.graph._nodes.find((node) => node.type === type), widget = node.widgets.find((widget) => widget.name === name);
  app.canvas.emitBeforeChange?.();
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
  app.canvas.emitAfterChange?.();
}, [type, name, value]);
async function undo() {
  await page.waitForFunction(() => !app.extensionManager.workflow.activeWorkflow?.changeTracker?._restoringState);
  await page.mouse.click(1400, 1200);
  await page.keyboard.press("Control+z");
}

// A click on a learned strip, and a widget that is moved, leave learning; undo brings it back.
const back = (seen) => !seen.front.includes("Learning is left") && seen.cells.model.filter((state) => state === "computed").length === 8;
await view(AB);
await cell("model", 12).click();
facts.clicked = await says("Learning is left");
await shot("left");
await undo();
facts.unclicked = await until(back);
await page.waitForFunction(() => !app.extensionManager.workflow.activeWorkflow?.changeTracker?._restoringState);
await page.waitForTimeout(1000); // for the page to take its note of the state
await set(AB, "interval", 7);
facts.moved = await says("Learning is left");
await undo();
facts.unmoved = await until(back);

// What was learned is not promised for another size, nor for another guidance; a size of the same class, and the old one, have it.
facts.elsewhere = {};
const other = { larger: ["EmptySD3LatentImage", "width", 1024, 256], near: ["EmptySD3LatentImage", "width", 272, 256], guided: ["KSampler", "cfg", 3, 1] };
for (const [name, [type, widget, there, here]] of Object.entries(other)) {
  await set(type, widget, there);
  facts.elsewhere[name] = await until((seen) => seen.front.includes(name === "near" ? "Up to" : "First picture"));
  await set(type, widget, here);
  await until((seen) => /About|Last/.test(seen.front));
}

// Another cache on the model's way is named before the run, and so is what the refused run says.
await page.evaluate(() => {
  const rival = LiteGraph.createNode("EasyCache"), apply = app.graph._nodes.find((node) => node.type === "ABCacheApply"), loader = app.graph._nodes.find((node) => node.type === "TinyFlux");
  rival.pos = [3000, 1500];
  app.graph.add(rival);
  loader.connect(0, rival, 0);
  rival.connect(0, apply, 0);
});
facts.rival = await until((seen) => seen.front.includes("EasyCache"));
await queue(8);
facts.refused = await until((seen) => seen.front.includes("EasyCache or LazyCache")); // by the name that only the run knows
await shot("refused");

// A run that fails in the sampler: a latent that the model does not take.
await page.evaluate(() => {
  const of = (type) => app.graph._nodes.find((node) => node.type === type), latent = LiteGraph.createNode("EmptyHunyuanLatentVideo");
  of("TinyFlux").connect(0, of("ABCacheApply"), 0);
  app.graph.remove(of("EasyCache"));
  latent.pos = [3000, 1500];
  app.graph.add(latent);
  latent.connect(0, of("KSampler"), of("KSampler").inputs.findIndex(({ name }) => name === "latent_image"));
});
await until((seen) => !seen.front.includes("EasyCache"));
await queue(9);
facts.failed = await until((seen) => !/About|Up to|picture|Running|Normal/.test(seen.front));
await close();
