// A saved workflow with a node whose pack is missing: ours takes its place by the front end's own button, and runs; prints, as JSON, what test_replacing.py
// asserts. ... RENDERING WORKFLOW
import { readFileSync } from "node:fs";
import { browse, rest } from "./browser.mjs";
import { stripOf } from "./strip.mjs";

const [rendering, workflow] = rest, NODE = "CacheMethod";
const { page, facts, open, load, path, close, ...tools } = await browse({ "Comfy.VueNodes.Enabled": rendering === "vue" });
const { until } = stripOf({ page, path });
const types = () => page.evaluate(() => app.graph._nodes.map((node) => node.type));

await open();
await load(JSON.parse(readFileSync(workflow)));
facts.before = await types();
const errors = page.locator('[data-testid="error-overlay-see-errors"]'), replace = page.getByRole("button", { name: "Replace Node", exact: true });
await errors.or(replace).first().waitFor({ timeout: 10000 }).catch(() => {});
if (await errors.isVisible()) await errors.click();
if (!(await replace.first().waitFor({ timeout: 5000 }).then(() => true, () => false))) {
  facts.unsupported = "this front end replaces no missing nodes";
  await close();
  process.exit(0);
}
await page.screenshot({ path: path(`replacing_${rendering}_offer`) });
await replace.first().click();
await tools.wait((type) => app.graph._nodes.some((node) => node.type === type), NODE);
facts.after = await types();
facts.widgets = await page.evaluate((type) => {
  const node = app.graph._nodes.find((each) => each.type === type);
  return Object.fromEntries(node.widgets.filter(({ name }) => name !== "timeline").map(({ name, value }) => [name, value]));
}, NODE);
await tools.skipWithoutStrips(rendering);
facts.offered = await until((seen) => seen.front.length);
await page.evaluate(() => app.queuePrompt(0, 1));
facts.ran = await until((seen) => seen.front.includes("Last picture"));
await page.screenshot({ path: path(`replacing_${rendering}_ran`) });
await close();
