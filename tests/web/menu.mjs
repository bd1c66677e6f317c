// The commands in the page's menu, and what they say where there is nothing to do: as JSON, what test_menu.py asserts. ... LOCALE EDIT NO_SAMPLER NONE_TAKEN_OUT LABEL...
import { browse, rest } from "./browser.mjs";

const [locale, edit, noSampler, noneOut, ...labels] = rest;
const { page, facts, open, path, close } = await browse({ "Comfy.Locale": locale });
const item = (name) => page.getByRole("menuitem", { name, exact: true }).first();
const said = async (summary) => (await page.getByText(summary, { exact: true }).first().waitFor({ timeout: 15000 }), summary);

await open();
facts.chosen = [];
for (const label of labels) {
  await page.locator(".comfy-menu-button-wrapper, .comfyui-logo").first().click();
  await item(edit).hover();
  await item(label).waitFor({ timeout: 15000 });
  await page.screenshot({ path: path(`menu_${locale}`), clip: { x: 0, y: 0, width: 700, height: 700 } });
  await item(label).click();
  facts.chosen.push(label);
  if (label === labels[0]) facts.said = await said(noSampler);
}
await said(noneOut);
await close();
