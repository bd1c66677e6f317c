// The strip's words for plans and runs: a bold line, a line below it, and what is behind "details". It knows neither the graph nor the server.

const seconds = (count) => `${count < 1 ? count.toFixed(2) : count < 10 ? count.toFixed(1) : Math.round(count)} s`;
const times = (rate) => rate.toFixed(rate < 2 ? 2 : 1);
const size = (bytes) => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;
const percent = (share) => Math.round(100 * share);

/** True if a plan computes everything. */
const isWhole = ({ computed, steps, least }) => !least && Object.values(computed).every((count) => count === steps);

/** How much faster the next picture is. */
function head(say, { learns, rate, seconds: known, computed, steps, least }) {
  if (learns) return learns > 1 ? say("first", { rate: times(learns) }) : say("recorded");
  if (rate === null) return say("open");
  if (isWhole({ computed, steps, least })) return say("normal");
  return known ? say("faster", { rate: times(rate), next: seconds(known[0]), plain: seconds(known[1]) }) : say("most", { rate: times(rate) });
}

/** A method's own threshold, and what it comes from; nothing for other plans. */
function thresholdIn(say, { threshold }) {
  if (!threshold) return [];
  return [[say(threshold.strength === null ? "thresholdSet" : "thresholdFrom", threshold), ""]];
}

const joined = (parts) => parts.filter(Boolean).join(" · ");

function counted(say, { computed: { guidance, ...inside }, least, steps }) {
  const negative = guidance !== undefined && say(least ? "negativeLeast" : "negative", { count: guidance, steps });
  return joined([Object.keys(inside).length && countedInside(say, inside, least, steps), negative]);
}

/** The steps at which the model, or its blocks, are computed. */
function countedInside(say, computed, least, steps) {
  if ("model" in computed) return say(least ? "least" : "computed", { count: computed.model, steps });
  return "mlp" in computed && "attention" in computed ? say("both", { ...computed, steps }) : say("computed", { count: Object.values(computed)[0], steps });
}

/** The line below: what the next picture is made with, and how like the uncached one it is. */
function below(say, plan) {
  const { alike, bytes, kept } = plan, [decibels, eye] = alike ?? [];
  return joined([counted(say, plan), alike && say("alike", { decibels, eye: say(eye) }), bytes && say("cache", { size: size(bytes) }), kept && say("kept")]);
}

function ranHead(say, { report, done, steps }, plan) {
  const { saved, lesson } = report;
  if (!report.finished) return say("stopped", { done, steps });
  if (lesson === "failed") return say("unlearned", { seconds: seconds(report.seconds) });
  if (lesson) {
    const [next, plain] = plan.seconds ?? [];
    return plan.seconds ? say("learned", { next: seconds(next), plain: seconds(plain) }) : say("learnedRate", { head: head(say, plan) });
  }
  if (saved === null) return say("lastOnly", { seconds: seconds(report.seconds) });
  if (Object.values(report.shares).every((share) => share === 1)) return say("lastNormal", { seconds: seconds(report.seconds) });
  const rate = (report.seconds + saved) / Math.max(report.seconds, 1e-9);
  return say("last", { rate: times(rate), seconds: seconds(report.seconds), plain: seconds(report.seconds + saved) });
}

function ranBelow(say, { report }, plan) {
  const { bytes, host, shares: { guidance } } = report, [decibels, eye] = (plan.learned && plan.alike) || [];
  return joined([
    ranInside(say, report),
    guidance !== undefined && say("negativeShare", { guidance: percent(guidance) }),
    eye && say("alike", { decibels, eye: say(eye) }),
    bytes + host && say("cache", { size: size(bytes + host) }),
  ]);
}

/** How often the model ran, or its blocks; nothing where only guidance is cached, with which it runs at every step. */
function ranInside(say, { shares, computed, evaluations }) {
  const kinds = Object.keys(shares).filter((kind) => kind !== "guidance"), inside = "attention" in shares && "mlp" in shares && !("model" in shares);
  if (!kinds.length && "guidance" in shares) return "";
  return inside ? say("shares", { attention: percent(shares.attention), mlp: percent(shares.mlp) }) : say("ran", { computed, evaluations });
}

function runningHead(say, { learning, done, steps, rate }) {
  if (learning) return say("learning", { done: learning[0], all: learning[1] });
  return rate ? say("runningAt", { done, steps, rate: times(rate) }) : say("running", { done, steps });
}

function apartIn({ apart }) {
  const each = Object.entries(apart).map(([name, decibels]) => `${name} ${decibels} dB`);
  return each.length ? [each.join(" · ")] : [];
}

/**
 * `{lines, more}`: lines as [text, strong or wrong or nothing], and those behind "details". `wrong`: errors, which stand in place of a speed-up. `where`: the steps
 * and the sampler, in words; `unsure`: true if they are not those of the graph, and `example`: if they are nobody's. `run`: null where there is none.
 */
export function told(say, { plan, run, where, unsure, example, wrong }) {
  const behind = [...(unsure ? [] : [where]), ...apartIn(plan), ...(plan.exact ? [] : [say("about")]), ...(plan.fixed ? [say(plan.fixed)] : [])];
  const left = plan.left && !run?.running ? [[say("left"), ""]] : [];
  const lines = wrong.map((text) => [say.sentence(text), "wrong"]);
  if (plan.off && !run?.running) return { lines: [...lines, [say("off"), "strong"]], more: [] };
  if (run?.running) {
    lines.push([runningHead(say, run), "strong"], [counted(say, run.computed ? run : plan), ""]);
    return { lines, more: [...run.notes.map(say.sentence), ...behind] };
  }
  if (unsure) lines.push([where, example ? "strong" : ""]);
  if (wrong.length) return { lines: [...lines, ...left], more: behind };
  if (run) {
    const learned = run.report.lesson === "learned", [did, ahead] = [ranBelow(say, run, plan), below(say, plan)];
    lines.push([ranHead(say, run, plan), "strong"], [learned ? ahead : did, ""], ...thresholdIn(say, plan), ...left);
    const next = learned ? did : say("next", { head: head(say, plan) });
    const [less, notes] = [run.report.less, run.report.notes].map((texts) => texts.map(say.sentence));
    return { lines: [...lines, ...less.slice(0, 1).map((text) => [text, ""])], more: [next, ...less.slice(1), ...notes, ...behind, plan.name] };
  }
  const notes = plan.notes.map(say.sentence), why = isWhole(plan) && !plan.learns ? 1 : 0; // what is not cached is not left unsaid
  lines.push([head(say, plan), example ? "" : "strong"], [below(say, plan), ""], ...thresholdIn(say, plan), ...left, ...notes.slice(0, why).map((text) => [text, ""]));
  return { lines, more: [...behind, ...notes.slice(why), plan.name] };
}
