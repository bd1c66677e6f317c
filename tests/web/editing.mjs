// Drives the timeline of an Apply node in headless Chromium, with no other node on the page, and prints, as JSON, what test_editing.py asserts.
// node editing.mjs URL PLAYWRIGHT_FOLDER CHROMIUM SCREENSHOT_FOLDER SERVER RENDERING THEME
import { browse, rest } from "./browser.mjs";
import { stripOf } from "./strip.mjs";

const [server, rendering, theme] = rest, CLASS = "FEBCacheApply";
const { page, facts, wait, open, close, ...tools } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue", "Comfy.ColorPalette": theme });
const shot = (name) => tools.shot(CLASS, `editing_${server}_${rendering}_${theme}_${name}`);
const { until, settled, cell } = stripOf({ page, path: tools.path });

await open();
const search = page.locator("input[placeholder*='earch'], input[placeholder*='Add a node']").last(); // front ends to 1.48, and from 1.49 on
for (let tries = 0; tries < 10 && !(await search.isVisible()); tries++) {
  await page.mouse.dblclick(900, 700); // the page takes it once it has settled
  await search.waitFor({ timeout: 3000 }).catch(() => {});
}
await search.fill("FEB-Cache Apply");
await page.locator("[role=option]", { hasText: "FEB-Cache Apply" }).first().waitFor();
await page.keyboard.press("Enter");
await wait(() => app.graph._nodes.length === 1);
await tools.putDown(900, 300);
await tools.skipWithoutStrips(rendering);
facts.fresh = await settled((seen) => seen.words.includes("No sampler"));
await shot("fresh");

// Change the attention interval.
await tools.more();
const before = JSON.stringify(facts.fresh.cells);
if (rendering === "vue") {
  const field = page.locator(".lg-node-widget", { hasText: "attention_interval" }).locator("input").first();
  await field.fill("6");
  await field.press("Enter");
  if (!(await page.evaluate(() => app.graph._nodes[0].widgets.some(({ name, value }) => name === "attention_interval" && value === 6)))) {
    await field.click();
    await field.press("Control+a");
    await field.pressSequentially("6"); // key by key, as older front ends want it
    await field.press("Enter");
  }
} else {
  const [x, y, width] = await page.evaluate(() => {
    const node = app.graph._nodes[0], corner = app.canvas.canvas.getBoundingClientRect(), { ds } = app.canvas;
    [ds.scale, ds.offset[0], ds.offset[1]] = [1, 300 - node.pos[0], 200 - node.pos[1]]; // newer front ends begin at 90 %
    app.canvas.draw(true, true);
    const widget = node.widgets.find((widget) => widget.name === "attention_interval");
    return [corner.x + node.pos[0] + ds.offset[0] + 15, corner.y + node.pos[1] + ds.offset[1] + widget.last_y + 10, node.size[0] - 30];
  });
  for (let i = 0; i < 3; i++) await page.mouse.click(x + width - 6, y); // its arrow
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
await page.locator(".feb-strip-lines").click();
await page.mouse.click(900, 900);
await page.keyboard.press("Control+z");
facts.undone = await settled((seen) => seen.cells.attention[4] === "computed");

// Save, and load again.
const saved = await page.evaluate(() => JSON.parse(JSON.stringify(app.graph.serialize())));
facts.saved = saved.nodes[0].widgets_values;
await page.evaluate((graph) => { app.graph.clear(); return app.loadGraphData(graph); }, saved);
facts.loaded = await settled((seen) => seen.widgets.edited_steps !== "");

await close();
