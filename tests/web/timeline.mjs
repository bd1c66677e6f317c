// Drives the timeline of an Apply node in headless Chromium, while its workflow runs, and prints, as JSON, what test_timeline.py asserts.
// node timeline.mjs URL PLAYWRIGHT_FOLDER CHROMIUM SCREENSHOT_FOLDER RENDERING THEME OLD_WORKFLOW
import { readFileSync } from "node:fs";
import { browse, rest } from "./browser.mjs";
import { stripOf } from "./strip.mjs";

const [rendering, theme, old] = rest, CLASS = "FEBCacheApply";
const { page, facts, wait, open, load, loadApi, view, path, close, ...tools } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue", "Comfy.ColorPalette": theme });
const shot = (name) => tools.shot(CLASS, `timeline_${rendering}_${theme}_${name}`);
const { until } = stripOf({ page, path });

await open();
await load(JSON.parse(readFileSync(old)));
await tools.skipWithoutStrips(rendering);
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
    window.seen.push([strip.querySelector(".feb-strip-lines p").textContent, ahead]);
  };
  new MutationObserver(note).observe(document.querySelector(".feb-strip-lines"), { childList: true });
  return app.queuePrompt(0, 1);
});
await wait(() => window.seen.some(([words]) => words.startsWith("Running")));
facts.ran = await until((seen) => seen.words.includes("Last picture") && seen.words.includes("Next picture: About"));
facts.filling = await page.evaluate(() => window.seen);
await shot("ran");

// A state from the middle of the run again, for pictures of it.
await page.evaluate(() => comfyAPI.api.api.dispatchEvent(new CustomEvent("feb_cache.progress", { detail: states[states.length >> 1] })));
facts.middle = await until((seen) => seen.words.startsWith("Running"));
await shot("running");

// Reload: the last run is there.
const again = await page.evaluate(() => JSON.parse(JSON.stringify(app.graph.serialize())));
await open();
await load(again);
facts.reloaded = await until((seen) => seen.words.includes("Last picture"));

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
