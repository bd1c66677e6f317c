// Cache Compare's wipe; prints, as JSON, what test_compare_page.py asserts. ... RENDERING
import { readFileSync } from "node:fs";
import { browse, rest } from "./browser.mjs";

const [rendering] = rest, CLASS = "CacheCompare";
const { page, facts, wait, open, load, loadApi, view, path, close, ...tools } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue" });
const shot = (name) => tools.shot(CLASS, `compare_${rendering}_${name}`, { x: 60, y: 0, width: 800, height: 1000 });
await open();
const picture = (color) => ({ class_type: "EmptyImage", inputs: { width: 320, height: 200, batch_size: 2, color } });
const graph = {
  1: picture(0xd55e00), 2: picture(0x0072b2),
  3: { class_type: CLASS, inputs: { uncached: ["1", 0], cached: ["2", 0], amplify: 4, wipe_at: 0.25 } },
};
await loadApi(graph, { [CLASS]: [0, 0] });
if (rendering === "vue" && !(await page.waitForSelector("[data-node-id] .feb-wipe", { timeout: 10000 }).catch(() => null))) {
  facts.unsupported = "this front end's Vue rendering shows no DOM widgets";
  await close();
  process.exit(0);
}
facts.before = await page.locator(".feb-wipe").innerText();
await shot("before");
await page.evaluate(() => app.queuePrompt(0, 1));
await wait(() => [...document.querySelectorAll(".feb-wipe img")].filter((image) => image.complete && image.naturalWidth).length === 2);

/** Where the wipe is, by the line, by the picture that is cut off there, and by the slider. */
const places = () => page.evaluate(() => {
  const share = (text) => Number(/([\d.]+)%/.exec(text)[1]) / 100;
  const [, uncached] = document.querySelectorAll(".feb-wipe img"), line = document.querySelector(".feb-wipe-line");
  return [share(line.style.left), 1 - share(uncached.style.clipPath), document.querySelector(".feb-wipe-slider").value / 100];
});
facts.sizes = await page.locator(".feb-wipe img").evaluateAll((images) => images.map((image) => [image.naturalWidth, image.naturalHeight]));
facts.start = await places();

// By the pointer; and the node stays where it is when the pointer drags.
await view(CLASS);
const box = await page.locator(".feb-wipe-frame").boundingBox(), at = () => page.evaluate(() => [...app.graph._nodes.find((node) => node.type === "CacheCompare").pos]);
await page.mouse.move(box.x + 0.75 * box.width, box.y + box.height / 2);
facts.pointed = await places();
const position = await at();
await page.mouse.down();
await page.mouse.move(box.x + 0.6 * box.width, box.y + box.height / 2, { steps: 4 });
await page.mouse.up();
facts.dragged = { places: await places(), moved: JSON.stringify(await at()) !== JSON.stringify(position) };
await shot("wiped");

// What is on either side of the line.
await view(CLASS);
const png = await page.screenshot({ path: path(`compare_${rendering}_frame`), clip: box });
facts.colours = await page.evaluate(async (data) => {
  const image = Object.assign(new Image(), { src: `data:image/png;base64,${data}` });
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height }), paint = canvas.getContext("2d");
  paint.drawImage(image, 0, 0);
  return [0.5, 0.7].map((share) => [...paint.getImageData(share * image.width, image.height / 2, 1, 1).data.slice(0, 3)]);
}, png.toString("base64"));

// By the keyboard.
await page.locator(".feb-wipe-slider").focus();
await page.keyboard.press("Home");
facts.home = await places();

// It is no part of the workflow, and a workflow that is loaded anew still shows what was put out.
const saved = await page.evaluate(() => JSON.parse(JSON.stringify(app.graph.serialize())));
facts.saved = saved.nodes.find((node) => node.type === CLASS).widgets_values;
await page.evaluate(() => { const node = app.graph._nodes.find((node) => node.type === "CacheCompare"); app.canvas.emitBeforeChange?.(); node.widgets[0].value = 8; app.canvas.emitAfterChange?.(); });
await page.mouse.click(1400, 1200);
await page.keyboard.press("Control+z");
await wait(() => app.graph._nodes.find((node) => node.type === "CacheCompare").widgets[0].value === 4);
await wait(() => document.querySelectorAll(".feb-wipe img").length === 2);
facts.undone = await page.locator(".feb-wipe").count();

// With sound: the spectrograms below the pictures; and alone.
const compared = (extra) => ({ 1: graph[1], 2: graph[2], 4: { class_type: "TinySounds", inputs: {} }, 3: { class_type: CLASS, inputs: { amplify: 4, wipe_at: 0.25, ...extra } } });
const sounds = { uncached_audio: ["4", 0], cached_audio: ["4", 1] }, pictures = { uncached: ["1", 0], cached: ["2", 0] };
const sizes = () => page.locator(".feb-wipe img").evaluateAll((images) => images.map((image) => [image.naturalWidth, image.naturalHeight]));
async function run(extra, images) {
  await loadApi(compared(extra), { [CLASS]: [0, 0] });
  const before = await page.evaluate(() => app.graph._nodes.find((node) => node.type === "CacheCompare").size[1]);
  await page.evaluate(() => app.queuePrompt(0, 1));
  await wait((images) => { const all = [...document.querySelectorAll(".feb-wipe img")]; return all.length === images && all.every((image) => image.complete && image.naturalWidth); }, images);
  await view(CLASS);
  return page.evaluate((before) => {
    const node = app.graph._nodes.find((node) => node.type === "CacheCompare"), box = (cls) => document.querySelector(cls).getBoundingClientRect().toJSON();
    const [shown, sound] = [box(".feb-wipe"), box(".feb-wipe-sound")];
    return { frame: box(".feb-wipe-frame"), sound, grown: node.size[1] - before, inside: sound.bottom <= shown.bottom };
  }, before);
}
facts.beside = { ...(await run({ ...pictures, ...sounds }, 3)), sizes: await sizes() };
await shot("with_sound");
facts.alone = { ...(await run(sounds, 1)), sizes: await sizes() };
await shot("sound");
await loadApi(compared(pictures), { [CLASS]: [0, 0] });
await page.evaluate(() => app.queuePrompt(0, 1));
await wait(() => document.querySelectorAll(".feb-wipe img").length === 2);
await wait(() => [...document.querySelectorAll(".feb-wipe img")].every((image) => image.naturalWidth));
facts.again = await sizes();

// Saved when the pictures were required, amplify set and wipe_at led to by a link.
await load(JSON.parse(readFileSync(new URL("saved/compare_before_sound.json", import.meta.url))));
facts.loaded = await page.evaluate(async () => {
  const { output } = await app.graphToPrompt(), node = app.graph._nodes.find((node) => node.type === "CacheCompare");
  return { inputs: Object.values(output).find((each) => each.class_type === "CacheCompare").inputs, sockets: node.inputs.map((input) => input.name) };
});
await close();
