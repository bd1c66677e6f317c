// Values of inputs as the prompt will have them, as far as they can be known before a run.
import { evaluated } from "./expression.js";
import { slotOf, sourceAt, widgetOf } from "./links.js";

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

/** `{node, slot}`: the output that an input takes its value from, switches followed; null where there is none. Throws RangeError where links go in a circle. */
export function sourceOf(node, name) {
  const slot = slotOf(node, name), source = slot < 0 ? null : sourceAt(node, slot);
  const chosen = source && chosenOf(source.node);
  return chosen ? sourceOf(source.node, chosen) : source;
}

/** An input's value; undefined where only a run can tell, or the node has no such input. */
export function valueOf(node, name) {
  const source = sourceOf(node, name);
  return source ? given(source) : widgetOf(node, name)[1]?.value;
}

/** What comes out of a node that holds a value, or reckons with some. */
function given({ node, slot }) {
  if (node.type === "PrimitiveNode") return node.widgets?.[0]?.value; // its widget is called as the one that it stands for
  if (node.type === "ComfyMathExpression") return reckoned(node, slot);
  return /^Primitive(Int|Float|Boolean|String|StringMultiline)$/.test(node.type) ? valueOf(node, "value") : undefined;
}

function reckoned(node, slot) {
  const text = valueOf(node, "expression");
  const value = typeof text === "string" ? evaluated(text, (name) => valueOf(node, `values.${name}`)) : undefined;
  return value === undefined ? undefined : [Number, Math.trunc, Boolean][slot](value); // its outputs: a float, an integer, true or false
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
