// Where on the graph an Apply node's model is sampled, with how many steps, and which other Apply nodes are on its way.
import { BYPASSED, NEVER, slotOf, targetsOf } from "./links.js";
import { laneAt, MODELS } from "./pair.js";
import { scheduleOf, stepped } from "./schedule.js";
import { Unknown, chosenOf, has, numberOf, sourceOf, valueOf } from "./values.js";

const MOST = 200; // nodes looked at, so that a huge graph stays quick

const CARRIERS = ["MODEL", "GUIDER", "*", "COMFY_MATCHTYPE_V3"]; // types of outputs that a model leaves by; the last one: of switches, on some front ends

/** The schedule that a sampler makes itself; null for other nodes. */
function ownSchedule(node) {
  if (!has(node, "steps") || !node.inputs?.some((input) => input.name === "latent_image")) return null;
  const schedule = stepped(node, true);
  if (!has(node, "start_at_step")) return schedule;
  return { ...schedule, start: numberOf(node, "start_at_step"), end: Math.min(numberOf(node, "end_at_step"), schedule.steps) };
}

function described(node) {
  const own = ownSchedule(node), schedule = own ?? (slotOf(node, "sampler") < 0 ? null : scheduleOf(sourceOf(node, "sigmas")));
  if (!schedule) return null;
  const chooser = has(node, "sampler_name") ? node : sourceOf(node, "sampler")?.node;
  return { ...schedule, sampler: String((chooser && valueOf(chooser, "sampler_name")) ?? ""), whole: Boolean(own) };
}

/** How a node samples, `by` whom, or, where only a run can tell its steps, the `unknown` node that they come from; null for a node that samples nothing. */
export function samplingAt(node) {
  const by = node.title || node.type;
  try {
    const sampling = described(node);
    return sampling && { by, ...sampling };
  } catch (error) {
    if (error instanceof Unknown) return { by, unknown: error.message };
    if (error instanceof RangeError) return { by, unknown: "links in a circle" };
    throw error;
  }
}

/** Breadth first: the way from an output of `node` to the sampler of its model, and what that says of the sampling; all ways and null without one. */
function wayToSampler(node, output) {
  const [queue, seen] = [[[node]], new Set([node])];
  while (queue.length && seen.size < MOST) {
    const way = queue.shift();
    const onLane = laneAt(way, output);
    for (const { node: next, slot } of targetsOf(way.at(-1), ({ type, name }) => CARRIERS.includes(type) && onLane(name))) {
      if (seen.has(next) || next.mode === NEVER || (chosenOf(next) ?? next.inputs[slot].name) !== next.inputs[slot].name) continue;
      seen.add(next);
      const sampling = next.mode === BYPASSED ? null : samplingAt(next);
      if (sampling) return { way, sampling, sampler: next };
      queue.push([...way, next]);
    }
  }
  return { way: [...seen], sampling: null, sampler: null };
}

/** The nodes that the model at an input comes through, the nearest first; of a node with several models the first one counts. */
export function origins(node, slot) {
  const found = [];
  for (let next = comesFrom(node, slot); next && !found.includes(next) && found.length < MOST; next = comesFrom(next, modelOf(next))) found.push(next);
  return found;
}

const modelOf = (node) => node.inputs.findIndex((input) => input.type === "MODEL");

function comesFrom(node, slot) {
  const source = slot < 0 ? null : unlessCircular(() => sourceOf(node, node.inputs[slot].name));
  return source?.node ?? null;
}

/** What `find` finds; null where links go in a circle, which nothing can run with. */
function unlessCircular(find) {
  try {
    return find();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/**
 * How the model that leaves `node` by the output `name` is sampled: `sampling`, as `samplingAt` says it, null where no `sampler` is found; and `beside`,
 * the other nodes on the model's way that `accepts` holds for; `along`: all of those that run. `part`: the place of the model among the node's.
 */
export function findSampling(node, accepts, name = MODELS[0]) {
  const { way, ...found } = unlessCircular(() => wayToSampler(node, name)) ?? { way: [], sampling: null, sampler: null };
  const along = [...origins(node, slotOf(node, name)), ...way].filter((other) => other !== node && !other.mode);
  return { ...found, along, beside: along.filter(accepts), part: MODELS.indexOf(name) };
}

/** The samplings of `node`'s models, each as in `findSampling`: two in turn, or one, also where one guider has both models. */
export function findSamplings(node, accepts) {
  const first = findSampling(node, accepts), second = comesFrom(node, slotOf(node, MODELS[1])) && findSampling(node, accepts, MODELS[1]);
  if (!second?.sampling || second.sampler === first.sampler) return [first];
  if (!first.sampling) return [second];
  return [first, second].sort((a, b) => (a.sampling.start ?? 0) - (b.sampling.start ?? 0));
}
