// The page in Chinese: every node of the pack, as it is shown, and, as JSON, what test_chinese.py asserts. ... RENDERING
import { browse, rest } from "./browser.mjs";

const [rendering] = rest;
const { page, facts, wait, open, skipWithoutStrips, view, shot, path, close } = await browse({ "Comfy.Locale": "zh", "Comfy.VueNodes.Enabled": rendering === "vue" });
await open();
facts.nodes = await page.evaluate(() => {
  const named = (part) => [part.name, part.label ?? part.localized_name ?? part.name];
  const types = Object.entries(LiteGraph.registered_node_types).filter(([, type]) => type.nodeData?.python_module === "custom_nodes.cloned");
  return Object.fromEntries(types.map(([name, type], i) => {
    const node = LiteGraph.createNode(name);
    node.pos = [520 * (i % 4), 900 * Math.floor(i / 4)];
    app.graph.add(node);
    const widgets = (node.widgets ?? []).filter((widget) => widget.options?.serialize !== false && widget.serialize !== false);
    return [name, { title: node.title, description: type.nodeData.description, parts: Object.fromEntries([...node.inputs, ...widgets].map(named)),
      outputs: node.outputs.map((output) => named(output)[1]) }];
  }));
});
await skipWithoutStrips(rendering);
await wait(() => document.querySelectorAll(".feb-strip").length === 3 && [...document.querySelectorAll(".feb-strip")].every((strip) => strip.querySelector(".feb-strip-lines p")));
facts.words = await page.evaluate(() => [...document.querySelectorAll(".feb-strip")].map((strip) => [...strip.querySelectorAll("p, .feb-strip-key, summary")].map((part) => part.textContent)));
facts.hint = await page.evaluate(() => document.querySelector(".feb-wipe-words").textContent);
await shot("FEBCacheApply", `chinese_${rendering}`, { x: 0, y: 0, width: 1500, height: 1250 });

// The tooltip of a widget.
await page.evaluate(() => document.querySelectorAll(".feb-strip-advanced").forEach((button) => button.click()));
await view("FEBCacheApply");
const at = await page.evaluate(() => {
  const node = app.graph._nodes.find((node) => node.type === "FEBCacheApply"), corner = app.canvas.canvas.getBoundingClientRect(), { offset } = app.canvas.ds;
  return [corner.x + node.pos[0] + offset[0] + 60, corner.y + node.pos[1] + offset[1] + node.widgets.find((widget) => widget.name === "attention_interval").last_y + 10];
});
if (rendering === "vue") await page.locator(".lg-node-widget", { hasText: "注意力间隔" }).first().locator("text=注意力间隔").hover();
else for (const step of [0, 1, 2]) await page.mouse.move(at[0] + step, at[1]);
const tip = page.locator(".node-tooltip:visible, .p-tooltip:visible, [role=tooltip]:visible, [data-side]:visible").first();
await tip.waitFor({ timeout: 10000 });
facts.tip = [...new Set((await tip.innerText()).split("\n"))].join("\n"); // newer front ends have it twice: once for screen readers
await page.screenshot({ path: path(`chinese_${rendering}_tip`), clip: { x: 0, y: 0, width: 1300, height: 900 } });
await close();
