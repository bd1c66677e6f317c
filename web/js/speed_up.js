// Two commands of the page: "Speed up this workflow" puts AB-Cache Apply before every sampler, subgraphs included; "Take the caches out" is the way back.
import { app } from "../../../scripts/app.js";
import { freePlace } from "./free_place.js";
import { givesMore, graphsOf, hostsOf, isLinked, putBefore, takeOut } from "./links.js";
import { caches } from "./rivals.js";
import { findSampling, origins, samplingAt } from "./timeline_sampler.js";

const NAME = "feb_ab_cache.speed_up";
const NODE = "ABCacheApply";
const OURS = [NODE, "FEBCacheApply"];
const LEAST = 8; // steps: with fewer, AB-Cache computes them all

const CANNOT = {
  there: "with a cache of this pack already",
  rival: "with a cache of another pack, which this one does not go with",
  few: `with fewer than ${LEAST} steps, which leave nothing to skip`,
  unlinked: "without a model yet",
};

/** True if a graph's nodes run: that of the outermost graph, and of subgraphs that a node which runs shows. */
const runs = (graph) => !hostsOf(graph).length || hostsOf(graph).some((host) => !host.mode && runs(host.graph));

/** How the model at a node's inputs is sampled, here or behind a guider; null where it is not. */
function samplingOf(node) {
  const guides = node.outputs?.some((output) => output.type === "GUIDER");
  return guides ? findSampling(node, () => false).sampling : samplingAt(node);
}

/** `{node, slot, sampling}` for each model that is sampled on the page. */
export function sampled(graph) {
  const nodes = graphsOf(graph).filter(runs).flatMap((each) => each._nodes).filter((node) => !node.mode && node.inputs?.some((input) => input.type === "MODEL"));
  return nodes.flatMap((node) => {
    const sampling = samplingOf(node);
    return sampling ? node.inputs.flatMap(({ type }, slot) => (type === "MODEL" ? [{ node, slot, sampling }] : [])) : [];
  });
}

/** Why no node goes before an input, one of CANNOT; nothing where it does. */
function obstacle({ node, slot, sampling }) {
  if (!isLinked(node, slot)) return "unlinked";
  const before = origins(node, slot).filter((other) => !other.mode);
  if (before.some((other) => OURS.includes(other.type))) return "there";
  if (before.some((other) => caches(other))) return "rival";
  return sampling.end - sampling.start < LEAST ? "few" : undefined; // of unknown steps neither end is known
}

function put({ node, slot }) {
  const made = LiteGraph.createNode(NODE);
  made.pos = freePlace(node, made.size);
  node.graph.add(made);
  putBefore(node, slot, made, "model");
}

/** Changes the graph in a way that one undo takes back. */
function changing(change) {
  const { canvas } = app;
  canvas.emitBeforeChange?.();
  try {
    change();
  } finally {
    canvas.emitAfterChange?.();
    canvas.setDirty(true, true);
  }
}

const say = (severity, summary, detail) => app.extensionManager.toast.add({ severity, summary, detail, life: 10000 });
const models = (count) => `${count} ${count === 1 ? "model" : "models"}`;

function speedUp() {
  const found = sampled(app.graph), reasons = found.map(obstacle), free = found.filter((_, i) => !reasons[i]);
  if (free.length) changing(() => free.forEach(put));
  const left = Object.entries(CANNOT).map(([reason, words]) => [reasons.filter((each) => each === reason).length, words]).filter(([count]) => count);
  const rest = left.length ? `Left out: ${left.map(([count, words]) => `${models(count)} ${words}`).join("; ")}.` : "";
  if (!found.length) say("warn", "No sampler was found", "AB-Cache Apply goes between a model and its sampler.");
  else if (!free.length) say("info", "Nothing was changed", rest);
  else say("success", `AB-Cache is on ${models(free.length)}`, `The first run has the normal speed and is learned from; the next ones are faster. ${rest}`.trim());
}

function takeCachesOut() {
  const found = graphsOf(app.graph).flatMap((graph) => graph._nodes).filter((node) => OURS.includes(node.type)), kept = found.filter(givesMore);
  changing(() => found.filter((node) => !kept.includes(node)).forEach((node) => takeOut(node, "model")));
  const rest = kept.length ? `${kept.length} stayed: more than the model of it is used.` : "";
  say("info", `${found.length - kept.length} taken out`, rest);
}

// ComfyUI serves a pack that sits in a folder of another name than in its pyproject.toml under both names.
if (!app.extensions.some((extension) => extension.name === NAME)) {
  const commands = [
    { id: "FebAbCache.SpeedUp", icon: "pi pi-bolt", label: "Speed up this workflow", function: speedUp },
    { id: "FebAbCache.TakeOut", icon: "pi pi-ban", label: "Take the caches out", function: takeCachesOut },
  ];
  app.registerExtension({ name: NAME, commands, menuCommands: [{ path: ["Edit"], commands: commands.map(({ id }) => id) }] });
}
