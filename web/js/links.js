// What a node is linked to, through subgraphs, Reroute nodes and bypassed nodes. The nodes of a subgraph lie in a graph of their own, and its borders
// are no nodes but two ids. Only the graph's own table of links is read: front ends differ in what inputs and outputs say of theirs.

const ENTRANCE = "-10", EXIT = "-20"; // numbers on older front ends, as node ids are: compared as strings

export const NEVER = 2, BYPASSED = 4; // modes of a node, besides 0

const same = (a, b) => String(a) === String(b);
const linksOf = (graph) => [...(graph?.links?.values?.() ?? [])];
const linkInto = (graph, id, slot) => linksOf(graph).find((link) => same(link.target_id, id) && link.target_slot === slot);
const linksFrom = (graph, id, slot) => linksOf(graph).filter((link) => same(link.origin_id, id) && link.origin_slot === slot);

/** The outermost graph that `graph` is in, and all subgraphs. */
export function graphsOf(graph) {
  const root = graph.rootGraph ?? graph;
  return [root, ...(root.subgraphs?.values() ?? [])];
}

/** The nodes that show `graph` as a subgraph; none for the outermost graph. */
export const hostsOf = (graph) => graphsOf(graph).flatMap((outer) => outer._nodes).filter((node) => node.subgraph === graph);

/** The first node around `graph`, before those that never run. */
function around(graph) {
  const hosts = hostsOf(graph);
  return hosts.find((host) => !host.mode) ?? hosts[0];
}

/** A node's id in a prompt: inside a subgraph with the id of the node around it in front. */
export function idOf(node) {
  const host = node.graph && around(node.graph);
  return host ? `${idOf(host)}:${node.id}` : String(node.id);
}

/** The place of an input; -1 where there is none of this name. */
export const slotOf = (node, name) => node.inputs?.findIndex((input) => input.name === name) ?? -1;

/** `[node, slot]` of the input that decides about one of a node: on a subgraph's border that of the node around it. */
function deciding(node, slot) {
  const link = linkInto(node.graph, node.id, slot);
  const host = link && same(link.origin_id, ENTRANCE) && around(node.graph);
  return host ? deciding(host, link.origin_slot) : [node, slot];
}

/** `{node, slot}`: the output that an input takes its value from; null where there is none. Throws RangeError where links go in a circle. */
export function sourceAt(node, slot) {
  const [holder, at] = deciding(node, slot), link = linkInto(holder.graph, holder.id, at);
  return link ? from(holder.graph, link) : null;
}

function from(graph, { origin_id, origin_slot: slot }) {
  const node = graph.getNodeById(origin_id);
  if (!node || node.mode === NEVER) return null;
  if (node.mode === BYPASSED) return passed(node, slot);
  if (node.type === "Reroute") return sourceAt(node, 0);
  if (!node.subgraph) return { node, slot };
  const inner = linkInto(node.subgraph, EXIT, slot);
  if (!inner) return null;
  return same(inner.origin_id, ENTRANCE) ? sourceAt(node, inner.origin_slot) : from(node.subgraph, inner);
}

/** What comes out of a bypassed node: what goes into the input of the output's place, or into the first of its type. */
function passed(node, slot) {
  const { type } = node.outputs[slot];
  const at = node.inputs[slot]?.type === type ? slot : node.inputs.findIndex((input) => input.type === type);
  return at < 0 ? null : sourceAt(node, at);
}

/** `{node, slot}` of the inputs that the outputs which `accepts` holds for lead to. */
export function targetsOf(node, accepts) {
  return (node.outputs ?? []).flatMap((output, slot) => (accepts(output) ? ends(node.graph, node.id, slot) : []));
}

const ends = (graph, id, slot) => linksFrom(graph, id, slot).flatMap((link) => to(graph, link));

function to(graph, { target_id, target_slot: slot }) {
  if (same(target_id, EXIT)) {
    const host = around(graph);
    return host ? ends(host.graph, host.id, slot) : [];
  }
  const node = graph.getNodeById(target_id);
  if (node?.subgraph && !node.mode) return ends(node.subgraph, ENTRANCE, slot);
  return node ? [{ node, slot }] : [];
}

/** `[node, widget]` that the user sets an input with: where a subgraph shows it, that of the node around it. Nothing where the node has no such widget. */
export function widgetOf(node, name) {
  const named = (owner, called) => owner.widgets?.find((widget) => widget.name === called);
  const slot = slotOf(node, name), [holder, at] = slot < 0 ? [node] : deciding(node, slot);
  const shown = named(holder, holder === node ? name : holder.inputs[at].name), own = shown ?? named(node, name);
  return own ? [shown ? holder : node, own] : [];
}

/** Sets an input where the user would; nothing where the node has no such widget. */
export function setWidget(node, name, value, canvas) {
  const [holder, widget] = widgetOf(node, name);
  if (!widget || widget.value === value) return;
  widget.value = value;
  widget.callback?.(value, canvas, holder);
}

/** Links the output that `link` of `graph` comes from, or the border it comes in at, to an input. */
function connect(graph, { origin_id, origin_slot }, node, slot) {
  if (same(origin_id, ENTRANCE)) graph.inputs[origin_slot].connect(node.inputs[slot], node);
  else graph.getNodeById(origin_id).connect(origin_slot, node, slot);
}

/** Puts `made`, a node of the same graph, before an input that is linked: by its own input `name` and its first output. */
export function putBefore(node, slot, made, name) {
  connect(node.graph, linkInto(node.graph, node.id, slot), made, slotOf(made, name));
  made.connect(0, node, slot);
}

/** Removes a node, and links what its input `name` is linked to to all that its first output is. */
export function takeOut(node, name) {
  const { graph } = node, link = linkInto(graph, node.id, slotOf(node, name));
  for (const { target_id, target_slot } of link ? linksFrom(graph, node.id, 0) : []) {
    if (!same(target_id, EXIT)) connect(graph, link, graph.getNodeById(target_id), target_slot);
    else if (!same(link.origin_id, ENTRANCE)) graph.outputs[target_slot].connect(graph.getNodeById(link.origin_id).outputs[link.origin_slot], graph.getNodeById(link.origin_id));
  }
  graph.remove(node);
}

/** True if the input `slot` of a node is linked, to whatever. */
export const isLinked = (node, slot) => Boolean(linkInto(node.graph, node.id, slot));

/** True if an output of a node but the first is linked. */
export const givesMore = (node) => (node.outputs ?? []).some((_, slot) => slot && linksFrom(node.graph, node.id, slot).length);
