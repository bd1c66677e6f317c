// The two models of one Apply node: by which output a way leaves a node, and what the plans and runs of both look like as one.
import { sourceOf } from "./values.js";

/** The inputs of an Apply node that models come by; its outputs have the same names. The place of each is its `part`. */
export const MODELS = ["model", "model_2"];

const named = (sockets, name) => sockets?.some((socket) => socket.name === name);

/** Of a way that began with the output `name`: whether its model leaves the last node by an output, by that one's name. */
export function laneAt(way, name) {
  const lane = way.slice(1).reduce((lane, node, i) => laneOf(node, way[i], lane), name), two = named(way.at(-1).outputs, MODELS[1]);
  return (output) => !two || !MODELS.includes(output) || output === lane;
}

/** Which of a node's two models comes from the node `before`; `lane` for a node with one, or where both do. */
function laneOf(node, before, lane) {
  if (!named(node.inputs, MODELS[1])) return lane;
  const from = MODELS.filter((name) => sourceOf(node, name)?.node === before);
  return from.includes(lane) ? lane : from[0] ?? lane;
}

const length = (cells) => Object.values(cells)[0].length;

const total = (numbers) => numbers.reduce((sum, number) => sum + number, 0);

const all = (values, sum) => (values.some((value) => value === null) ? null : sum(values));

const notesOf = (pair) => [...new Set(pair.flatMap(({ notes }) => notes))];

/** Numbers by name, those of both added. */
const added = (pair) => Object.fromEntries(Object.keys(pair[0]).filter((key) => key in pair[1]).map((key) => [key, pair[0][key] + pair[1][key]]));

/** The speed-up of samplings of so many `steps`, one after the other; each of `rates` is its own. */
const rateOf = (steps, rates) => total(steps) / total(steps.map((count, i) => count / (rates[i] || 1)));

/** What of plans in turn is about time, and likeness. */
function promiseOf(pair) {
  const steps = pair.map((plan) => plan.steps), seconds = all(pair.map((plan) => plan.seconds), ([a, b]) => [a[0] + b[0], a[1] + b[1]]);
  const rate = seconds ? seconds[1] / seconds[0] : all(pair.map((plan) => plan.rate), (rates) => rateOf(steps, rates));
  const learns = pair.some((plan) => plan.learns) ? rateOf(steps, pair.map((plan) => plan.learns || plan.rate || 1)) : 0;
  const alike = pair.map((plan) => plan.alike).filter(Boolean).sort((a, b) => a[0] - b[0])[0] ?? null;
  const any = (name) => pair.some((plan) => plan[name]);
  const { apart } = pair.find((plan) => plan.alike === alike) ?? pair[0];
  return { seconds, rate, learns, alike, apart, learned: any("learned"), kept: any("kept"), left: any("left"), least: any("least") };
}

/** Cells by kind, one after the other; of the kinds that both have. */
export function joinedCells([first, second]) {
  if (!second) return first;
  return Object.fromEntries(Object.keys(first).filter((kind) => kind in second).map((kind) => [kind, [...first[kind], ...second[kind]]]));
}

/** The plans of one sampling, or of two in turn, as one. `change`: the step at which the other model takes over. */
export function joinedPlan(pair) {
  const [first, second] = pair;
  if (!second) return first;
  const scales = [first, second].map(({ scale, steps }) => scale ?? Array(steps).fill(1));
  return {
    steps: first.steps + second.steps,
    change: first.steps,
    cells: joinedCells([first.cells, second.cells]),
    boundary: first.boundary < first.steps ? first.boundary : first.steps + second.boundary,
    scale: first.scale || second.scale ? scales.flat() : null,
    exact: first.exact && second.exact,
    editable: false,
    fixed: first.off ? "" : "shared",
    off: Boolean(first.off),
    name: first.name === second.name ? first.name : `${first.name}; ${second.name}`,
    notes: notesOf(pair),
    bytes: all(pair.map((plan) => plan.bytes), (sizes) => Math.max(...sizes)),
    computed: added(pair.map((plan) => plan.computed)),
    ...promiseOf(pair),
  };
}

/** The reports of two runs in turn, as one; a saving that one does not know counts as none. */
function joinedReport(pair) {
  const of = (name) => pair.map((report) => report[name]), shares = added(of("shares"));
  return {
    finished: of("finished").every(Boolean),
    evaluations: total(of("evaluations")),
    computed: total(of("computed")),
    seconds: total(of("seconds")),
    saved: of("saved").every((saved) => saved === null) ? null : total(of("saved")),
    shares: Object.fromEntries(Object.entries(shares).map(([kind, share]) => [kind, share / 2])),
    bytes: Math.max(...of("bytes")),
    host: Math.max(...of("host")),
    lesson: of("lesson").find(Boolean) ?? "",
    less: [...new Set(of("less").flat())],
    notes: notesOf(pair),
  };
}

/** The runs of one sampling, or of two in turn, as one; null where there is none. `shown`: for each its `run`, its `cells`, and how many are `done`. */
export function joinedRun(shown) {
  const at = shown.findIndex(({ run }) => run?.running), lengths = shown.map(({ cells }) => length(cells)), steps = total(lengths);
  if (at >= 0) {
    const { run, done } = shown[at];
    return { ...run, done: total(lengths.slice(0, at)) + done, steps, computed: shown.length > 1 ? null : run.computed };
  }
  const runs = shown.filter(({ run }) => run), done = total(runs.map((one) => one.done)), [first, second] = runs.map(({ run }) => run);
  if (!first) return null;
  return { ...first, done, steps, report: second ? joinedReport([first.report, second.report]) : first.report };
}
