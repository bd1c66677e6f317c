// The two models of one Apply node: by which output a way leaves a node, and what the plans and runs of both look like as one.
import { sourceOf } from "./values.js";

/** The inputs of an Apply node that models come by; its outputs have the same names. The place of each is its `part`. */
export const MODELS = ["model", "model_2"];

const SHARED = "Two samplings share these widgets, so single steps cannot be changed here. Put each model on a node of its own for that.";

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

const both = (a, b) => (!b || a === b ? a : a ? `${a}; then ${b}` : b);

/** The lines of both: the first two say what is done and what comes of it, the others are notes. */
function linesOf([first, second]) {
  const notes = new Set([...first.slice(2), ...second.slice(2)]);
  return [both(first[0], second[0]), both(first[1], second[1]), ...notes];
}

/** Cells by kind, one after the other; of the kinds that both have. */
export function joinedCells([first, second]) {
  if (!second) return first;
  return Object.fromEntries(Object.keys(first).filter((kind) => kind in second).map((kind) => [kind, [...first[kind], ...second[kind]]]));
}

/** The plans of one sampling, or of two in turn, as one. `change`: the step at which the other model takes over. */
export function joinedPlan([first, second]) {
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
    fixed: first.off ? "" : SHARED,
    off: first.off,
    lines: linesOf([first.lines, second.lines]),
  };
}

/** The runs of one sampling, or of two in turn, as one; null where there is none. `shown`: for each its `run`, its `cells`, and how many are `done`. */
export function joinedRun(shown) {
  const at = shown.findIndex(({ run }) => run?.running), steps = shown.map(({ cells }) => length(cells));
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  if (at >= 0) return { ...shown[at].run, done: sum(steps.slice(0, at)) + shown[at].done, steps: sum(steps) };
  const [first, second] = shown.map(({ run }) => run).filter(Boolean);
  return second ? { ...first, rate: null, lines: linesOf([first.lines, second.lines]) } : first ?? null;
}
