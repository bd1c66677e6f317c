// The pack's subgraph blueprint, found by the page's search and put on the graph; prints, as JSON, what comes of it.
// node blueprint.mjs URL PLAYWRIGHT_FOLDER CHROMIUM SCREENSHOT_FOLDER RENDERING
import { browse, rest } from "./browser.mjs";

const [rendering] = rest;
const { page, facts, open, wait, path, close } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue" });
await open();
await page.mouse.move(900, 700);
await page.evaluate(() => app.extensionManager.command.execute("Workspace.SearchBox.Toggle"));
await page.waitForTimeout(500);
await page.keyboard.type("Sampler with AB-Cache", { delay: 30 });
await page.locator("[role=option]", { hasText: "Sampler with AB-Cache" }).first().waitFor();
await page.waitForTimeout(1000); // it answers some time after the last key
await page.keyboard.press("Enter");
await wait(() => app.graph._nodes.length);
await page.waitForTimeout(500);
await page.mouse.click(900, 700); // newer front ends carry the node along until then
await page.waitForTimeout(500);

facts.put = await page.evaluate(() => app.graph._nodes.map(({ title, inputs, outputs, widgets, subgraph }) => ({
  title,
  inputs: inputs.map(({ name, type }) => `${name} ${type}`),
  outputs: outputs.map(({ name, type }) => `${name} ${type}`),
  widgets: widgets.map(({ name, value }) => [name, value]),
  inside: subgraph._nodes.map(({ type }) => type),
})));

// with tiny loaders around it
await page.evaluate(() => {
  const [host] = app.graph._nodes, made = (type) => { const node = LiteGraph.createNode(type); app.graph.add(node); return node; };
  const at = (name) => host.inputs.findIndex((input) => input.name === name), [flux, latent, end] = ["TinyFlux", "EmptySD3LatentImage", "TinyEnd"].map(made);
  Object.assign(flux, { pos: [0, 0] });
  Object.assign(latent, { pos: [0, 200] });
  Object.assign(end, { pos: [900, 0] });
  host.pos = [400, 0];
  for (const name of ["width", "height"]) latent.widgets.find((widget) => widget.name === name).value = 128;
  flux.connect(0, host, at("model"));
  for (const name of ["positive", "negative"]) flux.connect(1, host, at(name));
  latent.connect(0, host, at("latent_image"));
  host.connect(0, end, 0);
  Object.entries({ preset: "fast", steps: 12, cfg: 1 }).forEach(([name, value]) => { host.widgets.find((widget) => widget.name === name).value = value; });
});
await page.keyboard.press("Escape");
await page.evaluate(() => { app.canvas.deselectAll?.(); return app.extensionManager.command.execute("Comfy.Canvas.FitView"); });
await page.waitForTimeout(1000);
await page.screenshot({ path: path(`blueprint_${rendering}`) });
facts.prompt = await page.evaluate(async () => (await app.graphToPrompt()).output);
await close();
