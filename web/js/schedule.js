// The steps that a node's sigmas have: of the `steps` of a schedule those from `start` to `end` are sampled; `sigmas` where somebody wrote them down,
// `flipped` where they are sampled backwards.
import { rounded } from "./expression.js";
import { Unknown, has, numberOf, sourceOf, valueOf } from "./values.js";

const SHORTENED = ["AlignYourStepsScheduler", "GITSScheduler", "OptimalStepsScheduler"]; // denoise takes steps away

const RULES = {
  ManualSigmas(node) {
    const text = valueOf(node, "sigmas");
    if (typeof text !== "string") throw new Unknown(node);
    const sigmas = (text.match(/[-+]?(?:\d*\.*\d+)/g) ?? []).map(Number), steps = Math.max(sigmas.length - 1, 0);
    return { steps, start: 0, end: steps, sigmas };
  },
  SplitSigmas(node, slot) {
    const before = inputOf(node), at = Math.min(before.start + numberOf(node, "step"), before.end);
    return { ...before, ...(slot ? { start: at } : { end: at }) };
  },
  SplitSigmasDenoise(node, slot) {
    const before = inputOf(node), all = before.end - before.start, low = rounded(all * numberOf(node, "denoise"));
    return { ...before, ...(slot ? { start: before.end - low } : { end: low ? before.end - low : before.start }) };
  },
  FlipSigmas(node) {
    return { ...inputOf(node), flipped: true };
  },
  SetFirstSigma(node) {
    const { sigmas, ...before } = inputOf(node);
    return { ...before, scheduler: "" };
  },
};

function inputOf(node) {
  const before = scheduleOf(sourceOf(node, "sigmas"));
  if (!before || before.flipped) throw new Unknown(node);
  return before;
}

/** The schedule of a node with `steps`; `stretched`: with denoise below 1 they are the last ones of more. */
export function stepped(node, stretched = node.type === "BasicScheduler") {
  const steps = numberOf(node, "steps"), denoise = numberOf(node, "denoise", 1);
  if (!Number.isInteger(steps)) throw new Unknown(node);
  const schedule = { steps, start: 0, end: steps, scheduler: String(valueOf(node, "scheduler") ?? "") };
  if (denoise === 1 || stretched) return { ...schedule, denoise };
  if (!SHORTENED.includes(node.type)) throw new Unknown(node);
  return { ...schedule, start: steps - rounded(steps * denoise) };
}

/** The schedule that comes out of an output, `{node, slot}`; null for none. Throws Unknown where only a run can tell. */
export function scheduleOf(source) {
  if (!source) return null;
  const { node, slot } = source;
  if (node.type in RULES) return RULES[node.type](node, slot);
  if (has(node, "steps") && !node.inputs.some((input) => input.type === "SIGMAS")) return stepped(node);
  throw new Unknown(node);
}
