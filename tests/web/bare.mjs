// The page with a pack that has lost its folder web, and prints, as JSON, what test_bare.py asserts. ... RENDERING EDITED_STEPS
import { browse, rest } from "./browser.mjs";

const [rendering, edited] = rest;
const { page, facts, wait, open, loadApi, shot, close } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue" });
await open();
facts.errors = []; // a front end of 2025 stumbles over its own settings while it opens, with no pack at all
facts.nodes = await page.evaluate(() => Object.entries(LiteGraph.registered_node_types).filter(([, type]) => type.nodeData?.python_module === "custom_nodes.cloned").map(([name]) => {
  const node = LiteGraph.createNode(name);
  return [name, (node.widgets ?? []).map((widget) => widget.name)];
}));
const graph = {
  1: { class_type: "TinyFlux", inputs: {} },
  2: { class_type: "EmptySD3LatentImage", inputs: { width: 256, height: 256, batch_size: 1 } },
  3: { class_type: "FEBCacheApply", inputs: { model: ["1", 0], preset: "custom", attention_interval: 1, mlp_interval: 1, fragile_interval: 1, edited_steps: edited } },
  4: { class_type: "KSampler", inputs: { model: ["3", 0], seed: Math.floor(Math.random() * 1e9), steps: 12, cfg: 1, sampler_name: "euler", scheduler: "simple",
    positive: ["1", 1], negative: ["1", 1], latent_image: ["2", 0], denoise: 1 } },
  5: { class_type: "CacheReport", inputs: { latent: ["4", 0], report: ["3", 1] } },
  6: { class_type: "PreviewImage", inputs: { images: ["5", 2] } },
};
await loadApi(graph, { FEBCacheApply: [0, 0], CacheReport: [450, 0] });
await shot("FEBCacheApply", `bare_${rendering}`, { x: 0, y: 0, width: 1300, height: 1000 });
await page.evaluate(() => app.queuePrompt(0, 1));
await wait(() => Object.values(app.nodeOutputs ?? {}).some((output) => output.text) && Object.values(app.nodeOutputs).some((output) => output.images));
facts.text = await page.evaluate(() => Object.values(app.nodeOutputs).find((output) => output.text).text.join("\n"));
await close();
