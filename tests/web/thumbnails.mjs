// A picture of each workflow with AB-Cache Apply near the lower border, in the graph or subgraph that it is in.
// node thumbnails.mjs URL PLAYWRIGHT_FOLDER CHROMIUM SCREENSHOT_FOLDER FILE.json...
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { browse, rest } from "./browser.mjs";

const WIDTH = 2000, HEIGHT = 1125, SCALE = 0.8, BELOW = 60;
const { page, facts, open, path, close } = await browse({ "Comfy.Canvas.BackgroundImage": "", "Comfy.Minimap.Visible": false, "Comfy.NodeBadge.NodeSourceBadgeMode": "None", "Comfy.Graph.CanvasInfo": false }, { width: WIDTH, height: HEIGHT });
const quiet = { showMissingNodesDialog: false, showMissingModelsDialog: false, silentAssetErrors: true };

await open();
await page.addStyleTag({ content: "body * { visibility: hidden } #graph-canvas, .dom-widget, .dom-widget * { visibility: visible !important }" }); // the graph alone
for (const file of rest) {
  await page.evaluate(([workflow, quiet]) => app.loadGraphData(workflow, true, true, null, quiet), [JSON.parse(readFileSync(file)), quiet]);
  await page.waitForTimeout(300);
  await page.evaluate(() => {
    const root = app.rootGraph ?? app.graph;
    app.canvas.setGraph([root, ...(root.subgraphs?.values() ?? [])].find((graph) => graph._nodes.some(({ type }) => type === "ABCacheApply")));
  });
  await page.waitForTimeout(500);
  await page.evaluate(([width, height, scale, below]) => {
    const node = app.canvas.graph._nodes.find(({ type }) => type === "ABCacheApply"), { ds } = app.canvas;
    ds.scale = scale;
    ds.offset[0] = width / 2 / scale - node.pos[0] - node.size[0] / 2;
    ds.offset[1] = (height - below) / scale - node.pos[1] - node.size[1];
    app.canvas.setDirty(true, true);
  }, [WIDTH, HEIGHT, SCALE, BELOW]);
  await page.waitForTimeout(2500);
  await page.screenshot({ path: path(basename(file, ".json")) });
}
await close();
