// Two commands of the page: "Speed up this workflow" puts AB-Cache Apply before every sampler, subgraphs included; "Take the caches out" is the way back.
import { app } from "../../../scripts/app.js";
import { freePlace } from "./free_place.js";
import { givesMore, graphsOf, hostsOf, isLinked, putBefore, takeOut } from "./links.js";
import { caches } from "./rivals.js";
import { findSampling, origins, samplingAt } from "./timeline_sampler.js";
import { wordsIn } from "./words.js";

const NAME = "feb_ab_cache.speed_up";
const NODE = "ABCacheApply";
const OURS = [NODE, "FEBCacheApply", "CacheMethod"];
const LEAST = 8; // steps: with fewer, AB-Cache computes them all

const CANNOT = ["there", "rival", "few", "unlinked"]; // reasons why no node goes before an input

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

const show = (severity, summary, detail) => app.extensionManager.toast.add({ severity, summary, detail, life: 10000 });

function speedUp() {
  const say = wordsIn(app.ui.settings.getSettingValue("Comfy.Locale")), models = (count) => say(count === 1 ? "model_one" : "models", { count });
  const found = sampled(app.graph), reasons = found.map(obstacle), free = found.filter((_, i) => !reasons[i]);
  if (free.length) changing(() => free.forEach(put));
  const left = CANNOT.map((reason) => [reasons.filter((each) => each === reason).length, reason]).filter(([count]) => count);
  const rest = left.length ? say("out", { list: left.map(([count, reason]) => say(`out_${reason}`, { models: models(count), least: LEAST })).join(say("semicolon")) }) : "";
  if (!found.length) show("warn", say("noSampler"), say("between"));
  else if (!free.length) show("info", say("nothing"), rest);
  else show("success", say("isOn", { models: models(free.length) }), `${say("willLearn")} ${rest}`.trim());
}

function takeCachesOut() {
  const say = wordsIn(app.ui.settings.getSettingValue("Comfy.Locale"));
  const found = graphsOf(app.graph).flatMap((graph) => graph._nodes).filter((node) => OURS.includes(node.type)), kept = found.filter(givesMore);
  changing(() => found.filter((node) => !kept.includes(node)).forEach((node) => takeOut(node, "model")));
  show("info", say("taken", { count: found.length - kept.length }), kept.length ? say("stayed", { count: kept.length }) : "");
}

// ComfyUI serves a pack that sits in a folder of another name than in its pyproject.toml under both names.
if (!app.extensions.some((extension) => extension.name === NAME)) {
  const commands = [
    { id: "FebAbCache.SpeedUp", icon: "pi pi-bolt", label: "Speed up this workflow", function: speedUp },
    { id: "FebAbCache.TakeOut", icon: "pi pi-ban", label: "Take the caches out", function: takeCachesOut },
  ];
  app.registerExtension({ name: NAME, commands, menuCommands: [{ path: ["Edit"], commands: commands.map(({ id }) => id) }] });
}
