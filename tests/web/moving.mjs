// An Apply node before a picture that it learns from, while it learns, and while the next one runs: screenshots of the node for scripts/moving_picture.py, whose
// names are printed as JSON, with what the strip says on each. ... NODE THEME
import { browse, rest } from "./browser.mjs";

const [NODE, theme] = rest, ZOOM = 1.5, CLIP = { x: 135, y: 65, width: 440, height: 620 }, MOST = 400;
const { page, facts, open, loadApi, view, path, close } = await browse({ "Comfy.ColorPalette": theme, "Comfy.Graph.CanvasInfo": false, "Comfy.Minimap.Visible": false, "Comfy.NodeBadge.NodeSourceBadgeMode": "None" });

await open();
await loadApi({
  1: { class_type: "TinyFlux", inputs: {} },
  2: { class_type: "EmptySD3LatentImage", inputs: { width: 512, height: 512, batch_size: 1 } },
  3: { class_type: NODE, inputs: { model: ["1", 0], preset: "auto", learn: true } },
  4: { class_type: "KSampler", inputs: { model: ["3", 0], seed: 1, steps: 24, cfg: 1, sampler_name: "euler", scheduler: "simple", positive: ["1", 1], negative: ["1", 1], latent_image: ["2", 0], denoise: 1 } },
  5: { class_type: "TinyEnd", inputs: { samples: ["4", 0] } },
}, { [NODE]: [0, 0] });
await view(NODE, ZOOM);
await page.addStyleTag({ content: "body * { visibility: hidden } #graph-canvas, .dom-widget, .dom-widget * { visibility: visible !important }" }); // the graph alone

const front = () => page.evaluate(() => document.querySelector(".feb-strip-lines")?.textContent ?? "");
facts.frames = [];
async function take() {
  const name = path(`moving_${String(facts.frames.length).padStart(3, "0")}`), says = await front();
  await page.screenshot({ path: name, clip: CLIP });
  facts.frames.push([name, says]);
}
async function until(words) {
  for (let tries = 0; tries < MOST && !(await front()).includes(words); tries++) await take();
  await take();
}
const queue = (seed) => page.evaluate((seed) => {
  app.graph._nodes.find(({ type }) => type === "KSampler").widgets.find(({ name }) => name === "seed").value = seed;
  return app.queuePrompt(0, 1);
}, seed);

for (let tries = 0; tries < MOST && !(await front()).includes("First picture"); tries++) await page.waitForTimeout(50);
await take();
await queue(1);
await until("Learned.");
await queue(2);
await until("Last picture");
await close();
