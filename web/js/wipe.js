// Cache Compare's two pictures behind a wipe that follows the pointer, or the slider below, and its spectrograms. Without this file the outputs "wipe",
// where wipe_at says, and "spectrograms" show the same.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { addStyle, addWidget, element, takePlace } from "./dom.js";
import { wordsIn } from "./words.js";

const NAME = "feb_ab_cache.wipe";
const WIDGET = "compared";
const HEIGHT = 300, SOUND = 340; // of the pictures and of the spectrograms, at least
const SETTLED = 300; // milliseconds, in which a node that was loaded anew is on the page

const STYLE = `
.feb-wipe { box-sizing: border-box; width: 100%; height: 100%; display: flex; flex-direction: column; gap: 4px; padding: 6px; border-radius: 6px; user-select: none;
  font: 11px/1.35 system-ui, sans-serif; color: var(--input-text, #ddd); background: var(--comfy-input-bg, #222); border: 1px solid var(--border-color, #4e4e4e); }
.feb-wipe-frame { position: relative; flex: 1 1 0; min-height: 0; overflow: hidden; cursor: ew-resize; touch-action: none; }
.feb-wipe-frame > img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; pointer-events: none; }
.feb-wipe-line { position: absolute; top: 0; bottom: 0; width: 2px; margin-left: -1px; background: #fff; box-shadow: 0 0 2px #000; pointer-events: none; }
.feb-wipe-name { position: absolute; top: 4px; padding: 0 5px; border-radius: 3px; color: #fff; background: rgb(0 0 0 / 65%); pointer-events: none; }
.feb-wipe-words { margin: auto; text-align: center; }
.feb-wipe-slider { width: 100%; margin: 0; flex: none; }
.feb-wipe-sound { flex: 1 1 0; min-height: 0; width: 100%; object-fit: contain; pointer-events: none; }
.feb-wipe-heard > :not(.feb-wipe-sound) { display: none; }
`;

const picture = (file, parent) => element("img", "", parent, { src: api.apiURL(`/view?${new URLSearchParams({ ...file, rand: Math.random() })}`), draggable: false });

class Wipe {
  constructor() {
    addStyle("feb-wipe-style", STYLE);
    this.say = wordsIn(app.ui.settings.getSettingValue("Comfy.Locale"));
    this.element = element("div", "feb-wipe", null);
    this.frame = element("div", "feb-wipe-frame", this.element);
    this.words = element("p", "feb-wipe-words", this.frame, { textContent: this.say("toCompare") });
    this.slider = element("input", "feb-wipe-slider", this.element, { type: "range", min: 0, max: 100, step: 0.5, title: this.say("wipe") });
    this.slider.setAttribute("aria-label", this.say("wipe"));
    this.slider.addEventListener("input", () => this.#place(Number(this.slider.value) / 100));
    this.frame.addEventListener("pointermove", (event) => this.#follow(event));
    for (const kind of ["pointerdown", "pointermove"]) this.element.addEventListener(kind, (event) => event.stopPropagation()); // or the node would be dragged
  }

  /** Shows two pictures of the server's, as it names them, the wipe `at` a share of their width; and the spectrograms below. Either may be missing. */
  show([uncached], [cached], [spectrograms], at) {
    this.element.classList.toggle("feb-wipe-heard", !uncached);
    this.sound?.remove();
    this.sound = spectrograms && Object.assign(picture(spectrograms, this.element), { className: "feb-wipe-sound", alt: this.say("spectrograms") });
    if (uncached) this.#compare(uncached, cached, at);
    return (uncached ? HEIGHT : 0) + (spectrograms ? SOUND : 0);
  }

  #compare(uncached, cached, at) {
    this.frame.replaceChildren();
    [this.cached, this.uncached] = [cached, uncached].map((file) => picture(file, this.frame));
    this.line = element("div", "feb-wipe-line", this.frame);
    element("span", "feb-wipe-name", this.frame, { textContent: this.say("uncached") }).style.left = "4px";
    element("span", "feb-wipe-name", this.frame, { textContent: this.say("cached") }).style.right = "4px";
    this.#place(at);
  }

  #follow(event) {
    if (!this.line) return;
    const box = this.frame.getBoundingClientRect();
    this.#place(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
  }

  #place(share) {
    this.slider.value = 100 * share;
    if (!this.line) return;
    this.line.style.left = `${100 * share}%`;
    this.uncached.style.clipPath = `inset(0 ${100 * (1 - share)}% 0 0)`;
  }
}

function add(node) {
  const wipe = new Wipe();
  const hold = addWidget(node, WIDGET, "feb_cache_wipe", wipe.element, HEIGHT, 480);
  const show = (output) => {
    const { a_images = [], b_images = [], spectrograms = [] } = output ?? {};
    const at = node.widgets.find((widget) => widget.name === "wipe_at")?.value ?? 0.5;
    if (a_images.length + spectrograms.length) hold(wipe.show(a_images, b_images, spectrograms, at));
  };
  const { onExecuted, onConfigure } = node;
  node.onExecuted = function (output) {
    onExecuted?.apply(this, arguments);
    show(output);
  };
  // An undo loads the whole graph anew: the page still has what the node last put out.
  node.onConfigure = function () {
    onConfigure?.apply(this, arguments);
    show(app.nodeOutputs?.[this.id]);
    setTimeout(() => takePlace(wipe.element, this), SETTLED);
  };
}

// ComfyUI serves a pack that sits in a folder of another name than in its pyproject.toml under both names.
if (!app.extensions.some((extension) => extension.name === NAME)) {
  app.registerExtension({
    name: NAME,
    nodeCreated(node) {
      if (node.comfyClass === "CacheCompare") add(node);
    },
  });
}
