// What a sampling is of, beside its steps, by the widgets on the ways to its sampler: a plan that was learned is promised only where all of it is the same.
import { slotOf } from "./links.js";
import { has, sourceOf, valueOf } from "./values.js";

const MOST = 200; // nodes looked at, so that a huge graph stays quick
const PASSING = /seed|control_after_generate|^(image|upload|audio|video|filename_prefix)$/i; // widgets that change with each picture
const STEPS = ["steps", "scheduler", "sampler_name", "denoise", "start_at_step", "end_at_step"]; // of a sampler: the request has them
const SIZES = ["width", "height", "length", "batch_size"]; // of a latent
const APART = ["MODEL", "LATENT", "SIGMAS", "NOISE", "CLIP", "VAE", "IMAGE"]; // ways that say nothing of guidance

/** A number from 0 to 2^53 for a text (cyrb53). */
function hashed(text) {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    [a, b] = [Math.imul(a ^ code, 2654435761), Math.imul(b ^ code, 1597334677)];
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36);
}

/** A node's type and widgets, but those that change with each picture, texts, and the ones named in `without`. */
function facts(node, without = []) {
  const widgets = (node.widgets ?? []).filter(({ name, type }) => !PASSING.test(name) && !without.includes(name) && ["number", "slider", "combo", "toggle"].includes(type));
  return [node.type, ...widgets.map(({ name }) => [name, valueOf(node, name)])];
}

/** The nodes that lead to an input, the nearest first: by inputs of any type but those named in `without`. */
function ways(node, name, without) {
  const first = sourceOf(node, name)?.node, found = first ? [first] : [];
  for (let i = 0; i < found.length && found.length < MOST; i++) {
    for (const input of found[i].inputs ?? []) {
      const next = without.includes(input.type) ? null : sourceOf(found[i], input.name)?.node;
      if (next && !found.includes(next)) found.push(next);
    }
  }
  return found;
}

/** Nodes by which the latent comes that is sampled. */
const latents = (sampler) => (slotOf(sampler, "latent_image") < 0 ? [] : ways(sampler, "latent_image", ["MODEL", "CONDITIONING", "CLIP", "VAE", "IMAGE"]));

function sizeOf(nodes) {
  const holder = nodes.find((node) => has(node, "width") && has(node, "height"));
  const [width, height, length, batch] = SIZES.map((name) => Number((holder && valueOf(holder, name)) ?? NaN));
  return { size: width * height * (length || 1) || 0, batch: Number.isInteger(batch) ? batch : 1 };
}

function guidanceOf(sampler) {
  const inputs = (sampler.inputs ?? []).filter(({ type, name }) => !APART.includes(type) && sourceOf(sampler, name));
  const before = [...new Set(inputs.flatMap(({ name }) => ways(sampler, name, APART)))];
  return [facts(sampler, STEPS), ...before.map((node) => facts(node, STEPS))];
}

/** The scene of a sampling, as nodes/page/scene.py has it: by the other nodes `along` the model's way, and the `sampler`, where there is one. */
export function sceneOf(along, sampler, isOurs) {
  const model = hashed(JSON.stringify(along.filter((node) => node !== sampler && !isOurs(node)).map((node) => facts(node))));
  if (!sampler) return { model };
  const nodes = latents(sampler), how = hashed(JSON.stringify([guidanceOf(sampler), nodes.map((node) => facts(node, SIZES))]));
  return { model, how, ...sizeOf(nodes) };
}
