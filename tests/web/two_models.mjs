// One Apply node for two models: what its timeline shows of both samplings, before, while and after they run; prints, as JSON, what
// test_two_models.py asserts. ... RENDERING
import { browse, rest } from "./browser.mjs";
import { stripOf } from "./strip.mjs";

const [rendering] = rest, AB = "ABCacheApply", FEB = "FEBCacheApply";
const { page, facts, wait, open, load, loadApi, path, close, ...tools } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue" });
const shot = (name) => tools.shot(AB, `two_models_${rendering}_${name}`);
const { until } = stripOf({ page, path });

const seed = Math.floor(Math.random() * 1e9);
const sampler = (model, latent, start, end, more) => ({ class_type: "KSamplerAdvanced", inputs: { model, latent_image: latent, positive: ["1", 1], negative: ["1", 1],
  noise_seed: seed, steps: 20, cfg: 1, sampler_name: "euler", scheduler: "simple", start_at_step: start, end_at_step: end, ...more } });
const pair = {
  1: { class_type: "TinyFlux", inputs: {} },
  2: { class_type: "TinyFlux", inputs: {} },
  3: { class_type: "EmptySD3LatentImage", inputs: { width: 256, height: 256, batch_size: 1 } },
  4: { class_type: AB, inputs: { model: ["1", 0], model_2: ["2", 0], preset: "custom", interval: 3, warmup_steps: 2, learn: false } },
  5: sampler(["4", 0], ["3", 0], 0, 10, { add_noise: "enable", return_with_leftover_noise: "enable" }),
  6: sampler(["4", 2], ["5", 0], 10, 10000, { add_noise: "disable", return_with_leftover_noise: "disable" }),
  7: { class_type: "TinyEnd", inputs: { samples: ["6", 0] } },
};

const more = (seen) => page.evaluate(() => ({ changes: document.querySelectorAll(".feb-strip-row > .feb-strip-change").length,
  editable: document.querySelectorAll(".feb-strip-editable").length })).then((found) => ({ ...seen, ...found }));

await open();
await loadApi(pair, { [AB]: [0, 0] });
await tools.skipWithoutStrips(rendering);
facts.planned = await more(await until((seen) => seen.words.includes("10 + 10")));
await shot("planned");

await page.evaluate(() => {
  [window.seen, window.states] = [[], []];
  comfyAPI.api.api.addEventListener("feb_cache.progress", ({ detail }) => window.states.push(detail));
  const words = document.querySelector(".feb-strip-lines");
  new MutationObserver(() => window.seen.push([words.querySelector("p").textContent, document.querySelectorAll("[data-ahead]").length])).observe(words, { childList: true });
  return app.queuePrompt(0, 1);
});
await wait(() => window.states.some((state) => state.part === 1 && !state.running));
facts.ran = await until((seen) => seen.words.startsWith("Last picture") && seen.words.includes("Next picture: About"));
facts.filling = await page.evaluate(() => window.seen);
facts.parts = await page.evaluate(() => window.states.map((state) => state.part));
await shot("ran");

// The middle of the second half again, for a picture of it.
await page.evaluate(() => {
  const second = states.filter((state) => state.part === 1 && state.running);
  comfyAPI.api.api.dispatchEvent(new CustomEvent("feb_cache.progress", { detail: second[second.length >> 1] }));
});
facts.middle = await until((seen) => seen.words.startsWith("Running"));
await shot("running");

// Reload: both halves are there.
const again = await page.evaluate(() => JSON.parse(JSON.stringify(app.graph.serialize())));
await open();
await load(again);
facts.reloaded = await until((seen) => seen.words.includes("Last picture"));

// The other way round: the model that is sampled first comes first, whichever input it is at.
await loadApi({ ...pair, 5: sampler(["4", 2], ["3", 0], 0, 12, {}), 6: sampler(["4", 0], ["5", 0], 12, 10000, {}) }, { [AB]: [0, 0] });
facts.swapped = await until((seen) => seen.words.includes("12 + 8"));

// Behind another Apply node with both models, each output leads to its own sampler.
await loadApi({ ...pair, 8: { class_type: FEB, inputs: { model: ["4", 0], model_2: ["4", 2], preset: "custom" } },
  5: sampler(["8", 0], ["3", 0], 0, 12, {}), 6: sampler(["8", 2], ["5", 0], 12, 10000, {}) }, { [AB]: [0, 0], [FEB]: [520, 0] });
await wait(() => [...document.querySelectorAll(".feb-strip-words")].filter((words) => words.textContent.includes("12 + 8")).length === 2);
facts.chained = await page.evaluate(() => [...document.querySelectorAll(".feb-strip-words")].map((words) => words.textContent));

// The second output not used: one sampling, whose steps can be changed.
await loadApi({ ...pair, 6: sampler(["2", 0], ["5", 0], 10, 10000, {}) }, { [AB]: [0, 0] });
facts.alone = await more(await until((seen) => seen.cells.model.length === 10));

// Both models in one guider are one sampling.
if (await page.evaluate(() => Boolean(LiteGraph.registered_node_types.DualModelGuider))) {
  await loadApi({
    1: pair[1], 2: pair[2], 3: pair[3], 4: pair[4],
    5: { class_type: "DualModelGuider", inputs: { model: ["4", 0], model_negative: ["4", 2], positive: ["1", 1], negative: ["1", 1], cfg: 3 } },
    6: { class_type: "BasicScheduler", inputs: { model: ["4", 0], scheduler: "simple", steps: 16, denoise: 1 } },
    7: { class_type: "KSamplerSelect", inputs: { sampler_name: "euler" } },
    8: { class_type: "RandomNoise", inputs: { noise_seed: 1 } },
    9: { class_type: "SamplerCustomAdvanced", inputs: { noise: ["8", 0], guider: ["5", 0], sampler: ["7", 0], sigmas: ["6", 0], latent_image: ["3", 0] } },
  }, { [AB]: [0, 0] });
  facts.guider = await more(await until((seen) => seen.cells.model.length === 16));
}

// The second output used without the input: the node that it goes to says what to connect.
const { model_2: _, ...alone } = pair[4].inputs;
await loadApi({ ...pair, 4: { class_type: AB, inputs: alone } }, { [AB]: [0, 0] });
facts.blocked = await page.evaluate(() => new Promise((done) => {
  comfyAPI.api.api.addEventListener("execution_error", ({ detail }) => done([detail.node_type, detail.node_id, detail.exception_message]));
  app.queuePrompt(0, 1);
}));
await close();
