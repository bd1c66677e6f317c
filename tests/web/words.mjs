// The words of the strip, without a page: node words.mjs SCRIPTS_FOLDER < CASES. Prints, as JSON, the table of words, and what the strip says in each case, by
// language; what becomes of `sentences` of the server in Chinese; and a `report` in Chinese. A case: `plans` as the preview's route answers, and `runs` as the server
// tells of them, or null.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const script = (name) => import(pathToFileURL(join(process.argv[2], name)));
const [{ told }, { WORDS, wordsIn }, { joinedPlan, joinedRun }, { reportsIn }] = await Promise.all(["told.js", "words.js", "pair.js", "report_told.js"].map(script));
const { cases, sentences, reports } = JSON.parse(readFileSync(0));

function said(language, { plans, runs = [], more = {} }) {
  const shown = plans.map((plan, i) => ({ run: runs[i] ?? null, cells: plan.cells, done: plan.steps }));
  const plan = joinedPlan(plans), say = wordsIn(language);
  return told(say, { plan, run: joinedRun(shown), where: say("where", { steps: plan.steps, by: "KSampler, simple" }), unsure: false, example: false, wrong: [], ...more });
}

const each = (language) => Object.fromEntries(Object.entries(cases).map(([name, one]) => [name, said(language, one)]));
console.log(JSON.stringify({ table: WORDS, en: each("en"), zh: each("zh-TW"), sentences: sentences.map(wordsIn("zh").sentence),
  kept: sentences.map(wordsIn("en").sentence), report: reportsIn("zh", reports), english: reportsIn("en", reports) }));
