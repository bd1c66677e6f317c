// The timeline of Cache Method with a method for the guidance, before and after a run; prints, as JSON, what test_guided_page.py asserts. ... RENDERING PALETTE
import { browse, rest } from "./browser.mjs";
import { stripOf } from "./strip.mjs";

const [rendering, palette] = rest, CACHE = "CacheMethod";
const { page, facts, open, loadApi, path, close, ...tools } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue", "Comfy.ColorPalette": palette });
const shot = (name) => tools.shot(CACHE, `guided_${rendering}_${palette}_${name}`);
const { until } = stripOf({ page, path });

const cache = 100 + (Date.now() % 1e6); // a node that has not run yet: the server knows the last run by the id
const graph = {
  1: { class_type: "TinyFlux", inputs: {} },
  2: { class_type: "EmptySD3LatentImage", inputs: { width: 256, height: 256, batch_size: 1 } },
  [cache]: { class_type: CACHE, inputs: { model: ["1", 0], method: "CFG gate", strength: 0.2, curves: "as released" } },
  4: { class_type: "KSampler", inputs: { model: [String(cache), 0], seed: Math.floor(Math.random() * 1e9), steps: 20, cfg: 3.5, sampler_name: "euler", scheduler: "simple",
    positive: ["1", 1], negative: ["1", 1], latent_image: ["2", 0], denoise: 1 } },
  5: { class_type: "TinyEnd", inputs: { samples: ["4", 0] } },
};

/** What is shown, with the colour of each state of a cell and of its key, and that of the paper below: red, green and blue. */
const coloured = (seen) => page.evaluate(() => {
  const pixel = (colour) => {
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const colours = (which) => Object.fromEntries([...document.querySelectorAll(which)].map((one) => {
    const { backgroundColor, borderBottomColor } = getComputedStyle(one);
    return [one.dataset.state, one.dataset.state === "computed" ? pixel(backgroundColor) : pixel(borderBottomColor)];
  }));
  return { colours: colours(".feb-strip-cell"), keys: colours(".feb-strip-key > i"), head: document.querySelector(".feb-strip-head").innerText,
    paper: pixel(getComputedStyle(document.querySelector(".feb-strip")).backgroundColor), titles: [...document.querySelectorAll(".feb-strip-cell")].map((cell) => cell.title),
    label: document.querySelector(".feb-strip-chart > span").textContent };
}).then((found) => ({ ...seen, ...found }));

await open();
await loadApi(graph, { [CACHE]: [0, 0] });
await tools.skipWithoutStrips(rendering);
facts.planned = await coloured(await until((seen) => seen.words.includes("20 steps (KSampler, simple)")));
await shot("planned");
await page.evaluate(() => app.queuePrompt(0, 1));
facts.ran = await coloured(await until((seen) => seen.words.includes("Last picture") && seen.words.includes("Next picture")));
await shot("ran");
await close();
