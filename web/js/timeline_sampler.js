// Where on the graph an Apply node's model is sampled, with how many steps, and which other Apply nodes are on its way.
import { sourceOf, sourcesOf, targetsOf, valueOf, widgetOf } from "./links.js";
import { leaving, MODELS } from "./pair.js";

const MOST = 200; // nodes looked at, so that a huge graph stays quick

const CARRIERS = ["MODEL", "GUIDER", "*"]; // types of outputs that a model leaves by

const BYPASSED = 4, NEVER = 2;

const has = (node, name) => Boolean(widgetOf(node, name)[1]);

function numberOf(node, name, otherwise) {
  const value = Number(valueOf(node, name) ?? otherwise);
  return Number.isFinite(value) ? value : otherwise;
}

/** The first node for which `accepts` holds, `node` among them, towards where its inputs come from. */
function upstream(node, accepts, seen = new Set()) {
  if (!node || seen.has(node) || seen.size > MOST) return null;
  seen.add(node);
  if (accepts(node)) return node;
  for (const source of sourcesOf(node)) {
    const found = upstream(source, accepts, seen);
    if (found) return found;
  }
  return null;
}

/** What a node with steps, and the sampler that takes them, say of the sampling. */
function described(scheduled, sampler) {
  const chooser = has(sampler, "sampler_name") ? sampler : sourceOf(sampler, "sampler");
  return {
    by: sampler.title || sampler.type,
    steps: numberOf(scheduled, "steps", 20),
    scheduler: String(valueOf(scheduled, "scheduler") ?? ""),
    sampler: String((chooser && valueOf(chooser, "sampler_name")) ?? ""),
    denoise: numberOf(scheduled, "denoise", 1),
    ...(has(scheduled, "start_at_step") ? { start: numberOf(scheduled, "start_at_step", 0), end: numberOf(scheduled, "end_at_step", 10000) } : {}),
    whole: scheduled === sampler,
  };
}

function samplingAt(node) {
  if (has(node, "steps") && node.inputs?.some((input) => input.name === "latent_image")) return described(node, node);
  const sigmas = sourceOf(node, "sigmas");
  const scheduled = sigmas && upstream(sigmas, (other) => has(other, "steps"));
  return scheduled ? described(scheduled, node) : null;
}

/** Breadth first: the way from an output of `node` to the sampler of its model, and what that says of the sampling; all ways and null without one. */
function wayToSampler(node, output) {
  const [queue, seen] = [[[node]], new Set([node])];
  while (queue.length && seen.size < MOST) {
    const way = queue.shift();
    for (const next of targetsOf(leaving(way, output), CARRIERS)) {
      if (seen.has(next) || next.mode === NEVER) continue;
      seen.add(next);
      const sampling = next.mode === BYPASSED ? null : samplingAt(next);
      if (sampling) return { way, sampling, sampler: next };
      queue.push([...way, next]);
    }
  }
  return { way: [...seen], sampling: null, sampler: null };
}

/** The nodes that the model of an input of `node` comes through. */
function origins(node, input) {
  const found = [];
  for (let next = sourceOf(node, input); next && !found.includes(next) && found.length < MOST; next = sourceOf(next, "model")) found.push(next);
  return found;
}

/**
 * How the model that leaves `node` by the output `name` is sampled: `sampling`, with `by` whom, and what the route wants to know, null where no `sampler`
 * is found; and `beside`, the other nodes on the model's way that `accepts` holds for.
 */
function findSampling(node, accepts, name) {
  const { way, ...found } = wayToSampler(node, name);
  const beside = [...origins(node, name), ...way].filter((other) => other !== node && !other.mode && accepts(other));
  return { ...found, beside, part: MODELS.indexOf(name) };
}

/** The samplings of `node`'s models, each as in `findSampling`: two in turn, or one, also where one guider has both models. */
export function findSamplings(node, accepts) {
  const first = findSampling(node, accepts, MODELS[0]), second = sourceOf(node, MODELS[1]) && findSampling(node, accepts, MODELS[1]);
  if (!second?.sampling || second.sampler === first.sampler) return [first];
  if (!first.sampling) return [second];
  return [first, second].sort((a, b) => (a.sampling.start ?? 0) - (b.sampling.start ?? 0));
}
