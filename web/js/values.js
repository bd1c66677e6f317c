// Values of inputs as the prompt will have them, as far as they can be known before a run.
import { sourceAt, slotOf, widgetOf } from "./links.js";

const SWITCH = "ComfySwitchNode";

/** A value that only a run can tell: it comes out of `node`. */
export class Unknown extends Error {
  constructor(node) {
    super(node.title || node.type);
  }
}

/** The name of the input that a switch takes; undefined where only a run can tell, and for other nodes. */
export function chosenOf(node) {
  const on = node.type === SWITCH ? valueOf(node, "switch") : undefined;
  return on === undefined ? undefined : on ? "on_true" : "on_false";
}

/** `{node, slot}`: the output that an input takes its value from, switches followed; null where there is none. */
export function sourceOf(node, name) {
  const slot = slotOf(node, name), source = slot < 0 ? null : sourceAt(node, slot);
  const chosen = source && chosenOf(source.node);
  return chosen ? sourceOf(source.node, chosen) : source;
}

/** An input's value; undefined where only a run can tell, or the node has no such input. */
export function valueOf(node, name) {
  const source = sourceOf(node, name);
  return source ? given(source.node) : widgetOf(node, name)[1]?.value;
}

/** What comes out of a node that only holds a value. */
function given(node) {
  if (node.type === "PrimitiveNode") return node.widgets?.[0]?.value; // its widget is called as the one that it stands for
  return /^Primitive(Int|Float|Boolean|String|StringMultiline)$/.test(node.type) ? valueOf(node, "value") : undefined;
}

/** A number of an input; `otherwise` where the node has no such input. Throws Unknown where only a run can tell. */
export function numberOf(node, name, otherwise) {
  const value = valueOf(node, name), source = value === undefined && sourceOf(node, name);
  if (source) throw new Unknown(source.node);
  const number = Number(value ?? otherwise);
  if (!Number.isFinite(number)) throw new Unknown(node);
  return number;
}

/** True if a node has an input of this name that is a widget. */
export const has = (node, name) => Boolean(widgetOf(node, name)[1]);
