// Drives the timeline of an Apply node in headless Chromium and prints, as JSON, what test_timeline.py asserts.
// node timeline.mjs URL PLAYWRIGHT_FOLDER CHROMIUM SCREENSHOT_FOLDER RENDERING THEME OLD_WORKFLOW
import { readFileSync } from "node:fs";
import { browse, rest, url } from "./browser.mjs";

const [rendering, theme, old] = rest, CLASS = "FEBCacheApply";
const { page, facts, wait, open, load, loadApi, view, path, close, ...tools } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue", "Comfy.ColorPalette": theme });
const shot = (name) => tools.shot(CLASS, `timeline_${rendering}_${theme}_${name}`);

/** What the strip of the only Apply node shows, and the node's widgets; null without a strip. */
const shown = () => page.evaluate(() => {
  const strip = document.querySelector(".feb-strip"), node = app.graph._nodes.find((node) => node.type.endsWith("CacheApply"));
  if (!strip?.querySelector(".feb-strip-row")) return null;
  const cells = {};
  for (const cell of strip.querySelectorAll(".feb-strip-cell")) (cells[cell.dataset.kind] ??= []).push(cell.dataset.state);
  const values = node.widgets.filter((widget) => widget.name !== "timeline").map((widget) => [widget.name, widget.value]);
  const labels = [...strip.querySelectorAll(".feb-strip-cell")].every((cell) => cell.ariaLabel && cell.title);
  return { cells, widgets: Object.fromEntries(values), words: strip.querySelector(".feb-strip-words").innerText, labels };
});

/** What is shown once `condition` holds for it. */
async function until(condition) {
  for (const deadline = Date.now() + 60000; ;) {
    const seen = await shown();
    if (seen && condition(seen)) return seen;
    await page.evaluate(() => new Promise(requestAnimationFrame));
    if (Date.now() < deadline) continue;
    await page.screenshot({ path: path("timeline_failed") });
    throw new Error(`never shown: ${condition}, last ${JSON.stringify(seen)}`);
  }
}

/** What is shown once it is what the route says to the widgets, and `condition` holds. */
async function settled(condition) {
  for (const deadline = Date.now() + 60000; Date.now() < deadline; ) {
    const seen = await until(condition), body = JSON.stringify({ class: "FEBCacheApply", widgets: seen.widgets });
    const answer = await (await fetch(`${url}/feb_cache/preview`, { method: "POST", body })).json();
    if (JSON.stringify(answer.cells) === JSON.stringify(seen.cells)) return seen;
  }
  throw new Error(`the strip never shows what the route says: ${JSON.stringify(await shown())}`);
}

const cell = (kind, step) => page.locator(`.feb-strip-cell[data-kind="${kind}"][data-step="${step}"]`);

await open();
const search = page.locator("input[placeholder*='earch']").last();
for (let tries = 0; tries < 10 && !(await search.isVisible()); tries++) {
  await page.mouse.dblclick(900, 700); // the page takes it once it has settled
  await search.waitFor({ timeout: 3000 }).catch(() => {});
}
await search.fill("FEB-Cache Apply");
await page.locator("[role=option]", { hasText: "FEB-Cache Apply" }).first().waitFor();
await page.keyboard.press("Enter");
await wait(() => app.graph._nodes.length === 1);
await tools.skipWithoutStrips(rendering);
facts.fresh = await settled((seen) => seen.words.includes("no sampler"));
await shot("fresh");

// Move the attention-interval slider.
const before = JSON.stringify(facts.fresh.cells);
if (rendering === "vue") {
  const slider = page.locator(".lg-node-widget [role=slider]").first();
  await slider.focus();
  for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowRight");
} else {
  const [x, y, width] = await page.evaluate(() => {
    const node = app.graph._nodes[0], corner = app.canvas.canvas.getBoundingClientRect(), { ds } = app.canvas;
    const widget = node.widgets.find((widget) => widget.name === "attention_interval");
    return [corner.x + node.pos[0] + ds.offset[0] + 15, corner.y + node.pos[1] + ds.offset[1] + widget.last_y + 10, node.size[0] - 30];
  });
  await page.mouse.move(x + 0.2 * width, y);
  await page.mouse.down();
  await page.mouse.move(x + 0.5 * width, y, { steps: 5 });
  await page.mouse.up();
}
facts.moved = await settled((seen) => JSON.stringify(seen.cells) !== before && seen.widgets.preset === "custom");

// Edit a cell by a click, and more by dragging; then take it back.
const at = facts.moved.cells.mlp.lastIndexOf("computed", 17);
await cell("mlp", at).click();
facts.clicked = { at, ...(await settled((seen) => seen.cells.mlp[at] === "reused")) };
const [from, to] = [await cell("attention", 2).boundingBox(), await cell("attention", 4).boundingBox()];
await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
await page.mouse.down();
await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 8 });
await page.mouse.up();
facts.dragged = await settled((seen) => seen.cells.attention[4] === "reused");
await shot("edited");
facts.position = await page.evaluate(() => [...app.graph._nodes[0].pos]);
await cell("mlp", 0).click();
facts.refused = await until((seen) => seen.words.includes("step 0"));
await page.locator(".feb-strip-words").click();
await page.mouse.click(900, 900);
await page.keyboard.press("Control+z");
facts.undone = await settled((seen) => seen.cells.attention[4] === "computed");

// Save, and load again.
const saved = await page.evaluate(() => JSON.parse(JSON.stringify(app.graph.serialize())));
facts.saved = saved.nodes[0].widgets_values;
await page.evaluate((graph) => { app.graph.clear(); return app.loadGraphData(graph); }, saved);
facts.loaded = await settled((seen) => seen.widgets.edited_steps !== "");
await load(JSON.parse(readFileSync(old)));
facts.old = await until((seen) => seen.cells.attention.length === 28);

// Queue, and watch.
const graph = {
  1: { class_type: "TinyFlux", inputs: {} },
  2: { class_type: "EmptySD3LatentImage", inputs: { width: 256, height: 256, batch_size: 1 } },
  3: { class_type: "FEBCacheApply", inputs: { model: ["1", 0], preset: "custom", attention_interval: 3, mlp_interval: 2, warmup_steps: 3, noise_scale_low: 0.96 } },
  4: { class_type: "KSampler", inputs: { model: ["3", 0], seed: Math.floor(Math.random() * 1e9), steps: 24, cfg: 1, sampler_name: "euler", scheduler: "simple",
    positive: ["1", 1], negative: ["1", 1], latent_image: ["2", 0], denoise: 1 } },
  5: { class_type: "TinyEnd", inputs: { samples: ["4", 0] } },
};
await loadApi(graph, { [CLASS]: [0, 0] });
facts.planned = await until((seen) => seen.words.includes("KSampler, simple"));
await shot("planned");
await page.evaluate(() => {
  [window.seen, window.states] = [[], []];
  comfyAPI.api.api.addEventListener("feb_cache.progress", ({ detail }) => window.states.push(detail));
  const note = () => {
    const strip = document.querySelector(".feb-strip"), ahead = strip.querySelectorAll("[data-ahead]").length;
    window.seen.push([strip.querySelector(".feb-strip-words").innerText.split("\n")[0], ahead]);
  };
  new MutationObserver(note).observe(document.querySelector(".feb-strip-words"), { childList: true });
  return app.queuePrompt(0, 1);
});
await wait(() => window.seen.some(([words]) => words.startsWith("running")));
facts.ran = await until((seen) => seen.words.includes("last run") && seen.words.includes("by the seconds of the last run"));
facts.filling = await page.evaluate(() => window.seen);
await shot("ran");

// A state from the middle of the run again, for pictures of it.
await page.evaluate(() => comfyAPI.api.api.dispatchEvent(new CustomEvent("feb_cache.progress", { detail: states[states.length >> 1] })));
facts.middle = await until((seen) => seen.words.startsWith("running"));
await shot("running");

// Reload: the last run is there.
const again = await page.evaluate(() => JSON.parse(JSON.stringify(app.graph.serialize())));
await open();
await load(again);
facts.reloaded = await until((seen) => seen.words.includes("last run:"));

// With a plan, which the strip shows, and no cell of which can be changed.
await page.evaluate(() => {
  const loader = LiteGraph.createNode("CachePlanLoad"), apply = app.graph._nodes.find((node) => node.type === "FEBCacheApply");
  loader.widgets[0].value = "bundled/flux_feb_released.safetensors";
  loader.pos = [3000, 0];
  app.graph.add(loader);
  loader.connect(0, apply, apply.inputs.findIndex((input) => input.name === "plan"));
});
facts.given = await until((seen) => seen.words.includes("moved over sigma"));
facts.given.editable = await page.locator(".feb-strip-editable").count();
await shot("plan");

// The wheel over the strip moves the page as it does elsewhere.
await view(CLASS);
const box = await page.locator(".feb-strip-axis").boundingBox();
const scale = () => page.evaluate(() => app.canvas.ds.scale);
await page.mouse.move(box.x + 5, box.y + 5);
await page.mouse.wheel(0, -100);
await wait(() => app.canvas.ds.scale !== 1);
const over = await scale();
await view(CLASS);
await page.mouse.move(1400, 100);
await page.mouse.wheel(0, -100);
await wait(() => app.canvas.ds.scale !== 1);
facts.wheel = [over, await scale()];

await close();
