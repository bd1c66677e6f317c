// What the strip of the only Apply node on the page shows.
import { url } from "./browser.mjs";

export function stripOf({ page, path }) {
  /** What the strip of the only Apply node shows, and the node's widgets; null without a strip. */
  const shown = () => page.evaluate(() => {
    const strip = document.querySelector(".feb-strip"), node = app.graph._nodes.find((node) => /CacheApply$|^CacheMethod$/.test(node.type));
    if (!strip?.querySelector(".feb-strip-row")) return null;
    const cells = {}, texts = (strip) => { // all of them, and those that are read first
      const [words, front] = [".feb-strip-words p", ".feb-strip-lines p"].map((which) => [...strip.querySelectorAll(which)].map((line) => line.textContent).join("\n"));
      return { words, front };
    };
    for (const cell of strip.querySelectorAll(".feb-strip-cell")) (cells[cell.dataset.kind] ??= []).push(cell.dataset.state);
    const values = node.widgets.filter((widget) => widget.name !== "timeline").map((widget) => [widget.name, widget.value]);
    const labels = [...strip.querySelectorAll(".feb-strip-cell")].every((cell) => cell.ariaLabel && cell.title);
    return { cells, widgets: Object.fromEntries(values), ...texts(strip), labels };
  });

  /** What is shown once `condition` holds for it. */
  async function until(condition) {
    for (const deadline = Date.now() + 60000; ;) {
      const seen = await shown();
      if (seen && condition(seen)) return seen;
      await page.evaluate(() => new Promise(requestAnimationFrame));
      if (Date.now() < deadline) continue;
      await page.screenshot({ path: path("timeline_failed") });
      throw new Error(`never shown: ${condition}, last ${JSON.stringify(seen)}`);
    }
  }

  /** What is shown once it is what the route says to the widgets, and `condition` holds. */
  async function settled(condition) {
    for (const deadline = Date.now() + 60000; Date.now() < deadline; ) {
      const seen = await until(condition), body = JSON.stringify({ class: "FEBCacheApply", widgets: seen.widgets });
      const answer = await (await fetch(`${url}/feb_cache/preview`, { method: "POST", body })).json();
      if (JSON.stringify(answer.cells) === JSON.stringify(seen.cells)) return seen;
    }
    throw new Error(`the strip never shows what the route says: ${JSON.stringify(await shown())}`);
  }

  const cell = (kind, step) => page.locator(`.feb-strip-cell[data-kind="${kind}"][data-step="${step}"]`);

  return { shown, until, settled, cell };
}
