// Elements, and widgets made of them, in either rendering of a node.
import { app } from "../../../scripts/app.js";

export function element(tag, cls, parent, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  made.className = cls;
  parent?.append(made);
  return made;
}

/** Adds a style sheet once. */
export function addStyle(id, text) {
  if (!document.getElementById(id)) element("style", "", document.head, { id, textContent: text });
}

/**
 * A widget that shows `shown`, at least `height` pixels high; it is neither saved with the workflow nor sent with the prompt. Returns a function that gives it
 * another least height.
 */
export function addWidget(node, name, type, shown, height, width) {
  const widget = node.addDOMWidget(name, type, shown, { serialize: false, hideOnZoom: false, getMinHeight: () => height });
  const hold = (pixels) => {
    height = pixels;
    shown.style.minHeight = `${height - 2 * widget.margin}px`; // for the rendering that asks the element
  };
  widget.serialize = false;
  watchJoining(node);
  hold(height);
  shown.addEventListener("wheel", (event) => shown.closest("[data-node-id]") || app.canvas.processMouseWheel?.(event), { passive: false });
  node.setSize([Math.max(node.size[0], width), node.computeSize()[1]]);
  return (pixels) => {
    hold(pixels);
    node.setSize([node.size[0], Math.max(node.size[1], node.computeSize()[1])]);
  };
}

const joined = new WeakSet();

/** Notes when a node joins its graph. */
function watchJoining(node) {
  const { onAdded } = node;
  node.onAdded = function () {
    joined.add(this);
    return onAdded?.apply(this, arguments);
  };
}

/** A front end that puts a node in the place of one whose pack is missing tells nobody, and then shows no element of it. */
function join(node) {
  if (joined.has(node)) return;
  node.onAdded(node.graph);
  node.setSize([node.size[0], Math.max(node.size[1], node.computeSize()[1])]);
}

/**
 * Sees to it that the element of a node on the graph is shown: the Vue rendering keeps the elements of a node that an undo loads anew, that of the node that was
 * there before among them.
 */
export function takePlace(shown, node) {
  join(node);
  if (!shown.isConnected) document.querySelector(`[data-node-id="${CSS.escape(node.id)}"] .${shown.classList[0]}`)?.replaceWith(shown);
}
