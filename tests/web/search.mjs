// The page's node search: what it lists for each of some words; prints, as JSON, what test_search.py asserts. ... WORD...
import { browse, rest } from "./browser.mjs";

const { page, facts, open, path, close } = await browse();
await open();
const search = page.locator("input[placeholder*='earch'], input[placeholder*='Add a node']").last(); // front ends to 1.48, and from 1.49 on
for (let tries = 0; tries < 10 && !(await search.isVisible()); tries++) {
  await page.mouse.dblclick(900, 700); // the page takes it once it has settled
  await search.waitFor({ timeout: 3000 }).catch(() => {});
}
facts.aliases = await page.evaluate(() => { // whether both the server and the page know them
  const { $pinia } = document.querySelector("#vue-app").__vue_app__.config.globalProperties, { nodeSearchService } = $pinia._s.get("nodeDef");
  const given = LiteGraph.registered_node_types.ABCacheApply.nodeData.search_aliases?.length;
  return Boolean(given && nodeSearchService.nodeFuseSearch.keys.includes("search_aliases"));
});
facts.found = {};
const listed = () => page.evaluate(() => [...document.querySelectorAll("[role=option]")].map((option) => option.innerText.trim().split("\n")[0].trim()).filter(Boolean));
for (const word of rest) {
  const before = JSON.stringify(await listed());
  await search.fill(word);
  for (let tries = 0; tries < 20 && JSON.stringify(await listed()) === before; tries++) await page.waitForTimeout(100);
  await page.waitForTimeout(500); // it answers some time after the last key
  facts.found[word] = await listed();
  await page.screenshot({ path: path(`search_${word}`) });
}
await close();
