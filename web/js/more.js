// The few widgets of an Apply node that are seen at first, and the others on request: the front end's own "advanced" widgets, in both renderings.
// Nodes 2.0 has a button of its own for them, or, before 1.39, shows them all; the classic rendering gets one in the strip. What is hidden is saved and sent all the same.
import { app } from "../../../scripts/app.js";
import { addStyle, element } from "./dom.js";
import { isLinked, slotOf, widgetOf } from "./links.js";

const CUSTOM = "custom";
const NO_ROOM = () => [0, -4]; // front ends of 2025 draw a hidden widget in no room only if it asks for none; they add 4 pixels
const STYLE = `
.feb-strip-advanced { padding: 0 6px; font: inherit; color: inherit; background: transparent; border: 1px solid currentColor; border-radius: 4px; cursor: pointer; }
[data-node-id] .feb-strip-advanced { display: none; }
`;

/** The advanced widgets of an Apply node. `button` shows and hides them, in the words of `say`; `edits` names the widget that clicks on the strip write. */
export class Advanced {
  constructor(node, edits, say) {
    addStyle("feb-more-style", STYLE);
    const { required, optional } = node.constructor.nodeData.input, specs = { ...required, ...optional };
    [this.node, this.edits, this.say] = [node, edits, say];
    this.widgets = node.widgets.filter(({ name }) => specs[name]?.[1]?.advanced);
    this.widgets.forEach((widget) => (widget.advanced = true));
    this.sizes = this.widgets.map(({ computeSize }) => computeSize); // their own
    this.button = element("button", "feb-strip-advanced", null, { type: "button", title: say("moreTip") });
    this.button.addEventListener("click", () => this.#toggle());
    node.showAdvanced = false; // the front end's own, saved with the workflow
    this.sync();
    this.#openOldNodes();
    this.#openForCustom();
  }

  /** Follows the node, of which other parts of the page change the state, and the rendering: the classic one leaves gaps for what is only advanced. */
  sync() {
    const hidden = !this.node.showAdvanced && !LiteGraph.vueNodesMode, text = this.say(this.node.showAdvanced ? "less" : "more");
    this.widgets.forEach((widget, i) => {
      if (Boolean(widget.hidden) !== hidden) [widget.hidden, widget.computeSize] = [hidden, hidden ? NO_ROOM : this.sizes[i]];
    });
    if (this.button.textContent !== text) this.button.textContent = text;
  }

  #toggle() {
    app.canvas.emitBeforeChange?.();
    this.#show(!this.node.showAdvanced);
    app.canvas.emitAfterChange?.();
  }

  /** The node's height follows. */
  #show(more) {
    const { node } = this, before = node.computeSize()[1];
    node.showAdvanced = more;
    this.sync();
    const height = node.computeSize()[1];
    node.setSize([node.size[0], Math.max(height, node.size[1] + height - before)]);
    node.setDirtyCanvas(true, true);
  }

  #isCustom() {
    return widgetOf(this.node, "preset")[1]?.value === CUSTOM;
  }

  /** A node that was saved before anything was hidden keeps its size, and what it has moved or linked is seen. */
  #openOldNodes() {
    const { node } = this, { onConfigure } = node, isUsed = ({ name }) => slotOf(node, name) >= 0 && isLinked(node, slotOf(node, name));
    node.onConfigure = (saved, ...rest) => {
      if (saved.showAdvanced === undefined) node.showAdvanced = this.#isCustom() || this.widgets.some(isUsed);
      this.sync();
      return onConfigure?.call(node, saved, ...rest);
    };
  }

  /** After a click on the strip nothing opens: the strip would move away under the pointer. */
  #openForCustom() {
    const preset = this.node.widgets.find(({ name }) => name === "preset");
    if (!preset) return;
    const { callback } = preset;
    const open = () => this.#isCustom() && !widgetOf(this.node, this.edits)[1].value && !this.node.showAdvanced && this.#show(true);
    preset.callback = function (...args) {
      const result = callback?.apply(this, args);
      if (!app.configuringGraph) open(); // at once, as a part of the change that undo takes back
      return result;
    };
  }
}
