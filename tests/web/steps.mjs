// What the page's scripts find on graphs that stand in for the page's: node steps.mjs SCRIPTS_FOLDER SHAPES.json number|string
// Prints, as JSON, for each shape the steps of each model that is sampled: a number, or the node that only a run can tell them by.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [scripts, file, ids] = process.argv.slice(2), idOf = ids === "string" ? String : Number;
const script = (name) => import(pathToFileURL(join(scripts, name)));
const [{ findSampling, samplingAt }, links] = await Promise.all([script("timeline_sampler.js"), script("links.js")]);

/** A node as the page has it, from `[id, type, mode, inputs, outputs, widgets]`. */
function nodeOf(graph, subgraphs, [id, type, mode, inputs, outputs, widgets]) {
  const named = inputs.map((input) => ({ name: input.split(":")[0], type: input.split(":")[1] }));
  return { id: idOf(id), type, mode, graph, inputs: named, outputs: outputs.map((type) => ({ type })), subgraph: subgraphs.get(type),
    widgets: Object.entries(widgets).map(([name, value]) => ({ name, value })) };
}

/** The outermost graph of a shape: graphs by name, the outermost one without; their links `[origin, slot, target, slot]`. */
function graphOf(shape) {
  const subgraphs = new Map(), root = { subgraphs };
  for (const name of Object.keys(shape)) if (name) subgraphs.set(name, { rootGraph: root });
  for (const [name, { nodes, links }] of Object.entries(shape)) {
    const graph = subgraphs.get(name) ?? root;
    graph._nodes = nodes.map((node) => nodeOf(graph, subgraphs, node));
    graph.getNodeById = (id) => graph._nodes.find((node) => node.id === id);
    graph.links = new Map(links.map(([from, at, to, into], i) => [i, { origin_id: idOf(from), origin_slot: at, target_id: idOf(to), target_slot: into }]));
  }
  return root;
}

function stepsOf(node) {
  const guides = node.outputs.some(({ type }) => type === "GUIDER");
  const sampling = guides ? findSampling(node, () => false).sampling : samplingAt(node);
  return sampling && (sampling.unknown ?? sampling.end - sampling.start);
}

function found(shape) {
  const nodes = links.graphsOf(graphOf(shape)).flatMap((graph) => graph._nodes).filter((node) => !node.mode && node.inputs.some(({ type }) => type === "MODEL"));
  return Object.fromEntries(nodes.map((node) => [links.idOf(node), stepsOf(node)]).filter(([, steps]) => steps !== null));
}

const shapes = JSON.parse(readFileSync(file));
console.log(JSON.stringify(shapes.map(({ graphs }) => found(graphs))));
