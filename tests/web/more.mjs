// What a fresh Apply node shows, and what "more" does; prints, as JSON, what test_more.py asserts. ... RENDERING THEME
import { browse, rest } from "./browser.mjs";

const [rendering, theme] = rest;
const { page, facts, wait, open, load, view, more, skipWithoutStrips, path, close } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue", "Comfy.ColorPalette": theme });
const CLASSES = ["ABCacheApply", "FEBCacheApply"];

/** What is seen of the only node: its size, the widgets that are shown, whether more are, and what the page would save. */
const seen = () => page.evaluate(async () => {
  const [node] = app.graph._nodes, own = node.widgets.filter((widget) => widget.name !== "timeline");
  const box = document.querySelector(`[data-node-id="${node.id}"]`)?.getBoundingClientRect(), scale = app.canvas.ds.scale;
  const strip = document.querySelector(".feb-strip")?.getBoundingClientRect(), head = document.querySelector(".feb-strip-head")?.getBoundingClientRect();
  const words = document.querySelector(".feb-strip-words")?.getBoundingClientRect(), saved = node.serialize();
  const { inputs } = (await app.graphToPrompt()).output[node.id];
  return {
    size: box ? [box.width / scale, box.height / scale] : [node.size[0], node.size[1] + LiteGraph.NODE_TITLE_HEIGHT],
    shown: own.filter((widget) => node.isWidgetVisible(widget)).map(({ name }) => name), open: node.showAdvanced,
    values: own.map(({ value }) => value), saved: saved.widgets_values, queued: own.map(({ name }) => inputs[name]), kept: saved.showAdvanced,
    words: words?.height / scale, inside: Boolean(strip && head.right <= strip.right + 1 && words.bottom <= strip.bottom + 1),
  };
});
const still = async () => { await page.waitForTimeout(400); return seen(); };
const shot = async (cls, name) => {
  await view(cls);
  await page.waitForTimeout(300);
  await page.screenshot({ path: path(`more_${rendering}_${theme}_${cls}_${name}`), clip: { x: 60, y: 0, width: 560, height: 900 } });
};
const toggle = async () => { await more(); return still(); };
const choose = (name, value) => page.evaluate(([name, value]) => {
  const [node] = app.graph._nodes, widget = node.widgets.find((widget) => widget.name === name);
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
}, [name, value]);

for (const cls of CLASSES) {
  const of = (facts[cls] = {});
  await open(); // anew: a front end may give a node the widgets of the last one with its id
  await page.evaluate((cls) => { const node = LiteGraph.createNode(cls); node.pos = [100, 100]; app.graph.add(node); }, cls);
  await skipWithoutStrips(rendering);
  if (rendering === "vue" && !(await page.locator('[data-testid="advanced-inputs-button"]').count())) {
    facts.unsupported = "this front end's Vue rendering shows advanced widgets like others";
    await close();
    process.exit(0);
  }
  await page.waitForSelector(".feb-strip .feb-strip-row");
  await view(cls);
  of.fresh = await still();
  await shot(cls, "closed");
  of.more = await toggle();
  await shot(cls, "open");
  of.less = await toggle();
  await choose("preset", "custom");
  of.custom = await still();
  const saved = await page.evaluate(() => JSON.parse(JSON.stringify(app.graph.serialize())));
  await load(saved);
  await wait(() => app.graph._nodes.length);
  of.reloaded = await still();
  delete saved.nodes[0].showAdvanced; // as an older pack saved it
  await load(saved);
  of.old = await still();
  saved.nodes[0].widgets_values[0] = "auto";
  await load(saved);
  of.oldAuto = await still();
  await choose("preset", "off");
  await page.waitForFunction(() => document.querySelector(".feb-strip-words")?.innerText.startsWith("Off"));
  of.off = await page.evaluate(() => document.querySelector(".feb-strip-words").innerText);
  await shot(cls, "off");
}
await close();
