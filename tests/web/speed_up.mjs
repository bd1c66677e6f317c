// Samplers that the commands treat differently, on one page: as JSON, the class before each sampler after either command. ... RENDERING
import { browse, rest } from "./browser.mjs";

const { page, facts, open, loadApi, close } = await browse({ "Comfy.VueNodes.Enabled": rest[0] === "vue" });
const run = (command) => page.evaluate((command) => app.extensionManager.command.execute(command), command);
const sampler = (model, steps = 20) => ({ class_type: "KSampler", inputs: { model, seed: 1, steps, cfg: 1, sampler_name: "euler", scheduler: "simple",
  positive: ["1", 1], negative: ["1", 1], latent_image: ["2", 0], denoise: 1 } });

/** The class of the node before each sampler, by the sampler's id. */
const before = () => page.evaluate(() => {
  const samplers = app.graph._nodes.filter((node) => node.type === "KSampler");
  return Object.fromEntries(samplers.map((node) => [node.id, node.getInputNode(node.inputs.findIndex(({ name }) => name === "model"))?.type ?? null]));
});

await open();
await loadApi({
  1: { class_type: "TinyFlux", inputs: {} },
  2: { class_type: "EmptySD3LatentImage", inputs: { width: 256, height: 256, batch_size: 1 } },
  3: { class_type: "EasyCache", inputs: { model: ["1", 0], reuse_threshold: 0.2, start_percent: 0.15, end_percent: 0.95, verbose: false } },
  4: { class_type: "FEBCacheApply", inputs: { model: ["1", 0] } },
  10: sampler(["1", 0]), 11: sampler(["1", 0], 4), 12: sampler(["3", 0]), 13: sampler(["4", 0]), 14: sampler(["1", 0]), 15: sampler(["1", 0]), 16: sampler(["3", 0]),
  20: { class_type: "CacheReport", inputs: { latent: ["13", 0], report: ["4", 1] } },
}, {});
await page.evaluate(() => {
  const of = (id) => app.graph.getNodeById(id) ?? app.graph.getNodeById(String(id));
  [of(14).mode, of(15).mode] = [2, 4];
  of(16).disconnectInput(of(16).inputs.findIndex(({ name }) => name === "model"));
});
facts.loaded = await before();
await run("FebAbCache.SpeedUp");
facts.fast = await before();
await page.getByText("AB-Cache is on 1 model", { exact: true }).waitFor();
facts.said = await page.getByText(/^The first run has the normal speed/).first().innerText();
await run("FebAbCache.TakeOut");
facts.out = await before();
await page.getByText("1 taken out", { exact: true }).waitFor();
await close();
