// What a node is linked to, through subgraphs: the nodes of a subgraph lie in a graph of their own, and its borders are no nodes but two ids.

const ENTRANCE = -10, EXIT = -20;

/** A link by its id; nothing where there is none, or where the node is on no graph yet. */
const linkOf = (graph, id) => graph?.links.get?.(id) ?? graph?.links[id];

/** The node that shows `graph` as a subgraph, the first of several; nothing for the outermost graph. */
function around(graph) {
  const root = graph.rootGraph ?? graph;
  return [root, ...(root.subgraphs?.values() ?? [])].flatMap((outer) => outer._nodes).find((node) => node.subgraph === graph);
}

/** A node's id in a prompt: inside a subgraph with the id of the node around it in front. */
export function idOf(node) {
  const host = node.graph && around(node.graph);
  return host ? `${idOf(host)}:${node.id}` : String(node.id);
}

/** `[node, slot]` of the input that decides about one of a node: on a subgraph's border that of the node around it. */
function deciding(node, slot) {
  const link = linkOf(node.graph, node.inputs[slot].link);
  const host = link?.origin_id === ENTRANCE && around(node.graph);
  return host ? deciding(host, link.origin_slot) : [node, slot];
}

const slotOf = (node, name) => node.inputs?.findIndex((input) => input.name === name) ?? -1;

/** The node that an input comes from, Reroute nodes and bypassed ones included. */
export function sourceOf(node, name) {
  const slot = slotOf(node, name);
  return slot < 0 ? null : sourceAt(node, slot);
}

/** The nodes that the inputs of a node come from. */
export function sourcesOf(node) {
  return (node.inputs ?? []).map((_, slot) => sourceAt(node, slot)).filter(Boolean);
}

function sourceAt(node, slot) {
  const [holder, at] = deciding(node, slot), link = linkOf(holder.graph, holder.inputs[at].link);
  return link ? from(holder.graph, link) : null;
}

function from(graph, link) {
  const node = graph.getNodeById(link.origin_id);
  if (!node?.subgraph || node.mode) return node ?? null;
  const inner = linkOf(node.subgraph, node.subgraph.outputs[link.origin_slot]?.linkIds[0]);
  if (!inner) return null;
  return inner.origin_id === ENTRANCE ? sourceAt(node, inner.origin_slot) : from(node.subgraph, inner);
}

/** The nodes that outputs of these types lead to. */
export function targetsOf(node, types) {
  return (node.outputs ?? []).filter((output) => types.includes(output.type)).flatMap((output) => ends(node.graph, output.links));
}

function ends(graph, ids) {
  return (ids ?? []).map((id) => linkOf(graph, id)).flatMap((link) => (link ? to(graph, link) : []));
}

function to(graph, link) {
  if (link.target_id === EXIT) {
    const host = around(graph);
    return host ? ends(host.graph, host.outputs[link.target_slot]?.links) : [];
  }
  const node = graph.getNodeById(link.target_id);
  if (!node?.subgraph || node.mode) return node ? [node] : [];
  return ends(node.subgraph, node.subgraph.inputs[link.target_slot]?.linkIds);
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

/** An input's value, or, where it comes from another node, what that shows. */
export function valueOf(node, name) {
  const source = sourceOf(node, name), given = source?.widgets?.[0];
  return widgetOf(...(given ? [source, given.name] : [node, name]))[1]?.value;
}
