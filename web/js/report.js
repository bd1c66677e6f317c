// The nodes that put out a text show it, too. Without this file the text is still an output of the node.
import { app } from "../../../scripts/app.js";
import { reportsIn } from "./report_told.js";
import { wordsIn } from "./words.js";

const NAME = "feb_ab_cache.report";
const NODES = ["CacheReport", "CachePlanInfo", "CachePlanSave", "CacheCalibrate", "CacheCompare"];
const language = () => app.ui.settings.getSettingValue("Comfy.Locale");

/** A read-only text box that is neither saved with the workflow nor sent with the prompt. */
function addTextBox(node) {
  const { widget } = app.widgets.STRING(node, wordsIn(language())(node.comfyClass), ["STRING", { multiline: true }], app);
  widget.serialize = false;
  Object.assign(widget.options, { serialize: false, read_only: true });
  Object.assign(widget.element, { readOnly: true, wrap: "off" });
  node.setSize([Math.max(node.size[0], 480), Math.max(node.size[1], 240)]);
  return widget;
}

function show(widget, output) {
  const told = output?.reports && reportsIn(language(), output.reports);
  if (output?.text) widget.value = told ?? [output.text].flat().join("\n");
}

// ComfyUI serves a pack that sits in a folder of another name than in its pyproject.toml under both names.
if (!app.extensions.some((extension) => extension.name === NAME)) {
  app.registerExtension({
    name: NAME,
    nodeCreated(node) {
      if (!NODES.includes(node.comfyClass)) return;
      const widget = addTextBox(node);
      const { onExecuted, onConfigure } = node;
      node.onExecuted = function (output) {
        onExecuted?.apply(this, arguments);
        show(widget, output);
      };
      // An undo loads the whole graph anew: the page still has what the node last put out.
      node.onConfigure = function () {
        onConfigure?.apply(this, arguments);
        show(widget, app.nodeOutputs?.[this.id]);
      };
    },
  });
}
