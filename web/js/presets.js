// Presets of the Apply nodes: choosing one writes its values into the other widgets, and moving one of those makes it "custom".
// Without this file the nodes work the same: they read a widget that still shows its default as the preset's value.
import { app } from "../../../scripts/app.js";
import { graphsOf, setWidget, widgetOf } from "./links.js";

const NAME = "feb_ab_cache.presets";
const NODES = ["FEBCacheApply", "ABCacheApply"];
const CUSTOM = "custom";
const PAUSE = 200; // milliseconds between two looks at subgraphs: the page does not tell when one begins to show a widget

const watchers = new WeakMap(); // by node: watches the widgets that set its inputs, where they are not watched yet

/** For each preset, the value of every other widget that presets set: its default, or what the preset says instead. */
function valuesByPreset({ required, optional }) {
  const { preset, ...others } = { ...required, ...optional };
  const isSet = (options) => "default" in (options ?? {}) && options.of_preset !== false;
  const defaults = Object.entries(others).flatMap(([name, [, options]]) => (isSet(options) ? [[name, options.default]] : []));
  const overlay = ([name, changed]) => [name, { ...Object.fromEntries(defaults), ...changed }];
  return Object.fromEntries(Object.entries(preset[1].presets).map(overlay));
}

function same(a, b) {
  return typeof a === "number" && typeof b === "number" ? Math.abs(a - b) < 1e-6 : a === b;
}

function join(node, values) {
  const preset = node.widgets.find((widget) => widget.name === "preset");
  const others = node.widgets.filter((widget) => widget.name in values[preset.value]);
  let [quiet, loaded] = [true, false]; // a node is created and loaded in one go, and the values it is loaded with win
  const { onConfigure } = node;
  node.onConfigure = function () {
    loaded = true;
    return onConfigure?.apply(this, arguments);
  };
  const defaults = others.map((widget) => widget.value);
  queueMicrotask(() => {
    if (!loaded && others.every((widget, i) => same(widget.value, defaults[i]))) follow();
    quiet = false;
  });

  const shown = (widget) => widgetOf(node, widget.name)[1].value;
  const write = (widget, value) => same(shown(widget), value) || setWidget(node, widget.name, value, app.canvas);

  const watched = new WeakSet();

  /** Calls `react` after every change of `widget` that somebody made, and not a reaction to one. */
  const watch = (widget, react) => {
    if (watched.has(widget)) return;
    watched.add(widget);
    const { callback } = widget;
    widget.callback = function (...args) {
      const result = callback?.apply(this, args);
      if (quiet || app.configuringGraph) return result;
      quiet = true;
      try {
        react();
      } finally {
        quiet = false;
      }
      return result;
    };
  };

  const follow = () => {
    const chosen = values[shown(preset)];
    if (chosen) others.forEach((widget) => write(widget, chosen[widget.name]));
  };

  const leave = (widget) => () => {
    const chosen = values[shown(preset)];
    if (chosen && !same(shown(widget), chosen[widget.name])) write(preset, CUSTOM);
  };

  const reactions = [[preset, follow], ...others.map((widget) => [widget, leave(widget)])];
  reactions.forEach(([widget, react]) => watch(widget, react));
  // A subgraph's node that shows a widget does not call the one inside from front end 1.49 on.
  watchers.set(node, () => reactions.forEach(([{ name }, react]) => watch(widgetOf(node, name)[1], react)));
}

/** Watches what subgraphs show of the nodes inside them. */
function lookInside() {
  const [, ...inner] = app.graph ? graphsOf(app.graph) : [];
  inner.forEach((graph) => graph._nodes.forEach((node) => watchers.get(node)?.()));
}

// ComfyUI serves a pack that sits in a folder of another name than in its pyproject.toml under both names.
if (!app.extensions.some((extension) => extension.name === NAME)) {
  app.registerExtension({
    name: NAME,
    setup() {
      setInterval(lookInside, PAUSE);
    },
    nodeCreated(node) {
      if (NODES.includes(node.comfyClass)) join(node, valuesByPreset(node.constructor.nodeData.input));
    },
  });
}
