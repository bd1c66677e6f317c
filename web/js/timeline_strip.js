// The strip: a cell for each step and kind, the stage boundary, the noise scale, and words. Plain elements; it knows neither the graph nor the server.
import { addStyle, element } from "./dom.js";

const STATES = ["computed", "reused", "predicted"], GUIDED = STATES.map((state) => `guidance_${state}`);
const NAMES = [...STATES, ...GUIDED, "resting", "open"]; // of a cell's state, as words.js has them
const nameOf = (kind, state) => (kind === "guidance" && STATES.includes(state) ? `guidance_${state}` : state);
const SVG = "http://www.w3.org/2000/svg";

// Okabe and Ito's colours, told apart by the colour-blind, and a shape for each: full, low and hatched, low and hollow, a line, dashed.
const STYLE = `
.feb-strip { --computed: #2f86c5; --reused: #d55e00; --predicted: #0aa37a; --guidance: color-mix(in srgb, #b95f92 75%, var(--input-text, #ddd)); box-sizing: border-box; width: 100%; height: 100%; overflow: hidden;
  display: flex; flex-direction: column; gap: 4px; padding: 6px 8px; border-radius: 6px; font: 11px/1.35 system-ui, sans-serif; user-select: none;
  color: var(--input-text, #ddd); background: var(--comfy-input-bg, #222); border: 1px solid var(--border-color, #4e4e4e); }
.feb-strip * { box-sizing: border-box; }
.feb-strip-head { display: flex; flex-wrap: wrap; gap: 0 10px; align-items: center; }
.feb-strip-key { display: inline-flex; gap: 4px; align-items: center; }
.feb-strip-key > i { width: 9px; height: 12px; }
.feb-strip-corner { margin-left: auto; display: flex; gap: 4px; }
.feb-strip-clear { padding: 0 6px; font: inherit; color: inherit; background: transparent; border: 1px solid currentColor; border-radius: 4px; cursor: pointer; }
.feb-strip-chart { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 3px 6px; align-items: center; flex: none; }
.feb-strip-row { display: flex; height: 18px; position: relative; }
.feb-strip-cell { flex: 1 1 0; min-width: 0; height: 100%; margin: 0 max(0px, min(1px, 12%)); padding: 0; border: 0; border-radius: 1px; appearance: none; background: none; touch-action: none; }
.feb-strip-editable .feb-strip-cell { cursor: pointer; }
.feb-strip-cell:focus-visible { outline: 2px solid var(--input-text, #fff); outline-offset: 1px; }
.feb-strip [data-state] { background-repeat: no-repeat; background-position: bottom; background-size: 100% 50%; }
.feb-strip [data-state="computed"] { background-color: var(--computed); }
.feb-strip [data-state="reused"] { background-image: repeating-linear-gradient(45deg, var(--reused) 0 2px, transparent 2px 3.5px); border-bottom: 2px solid var(--reused); }
.feb-strip [data-state="predicted"] { background-image: linear-gradient(var(--predicted) 0 0), linear-gradient(var(--predicted) 0 0), linear-gradient(var(--predicted) 0 0);
  background-size: 100% 2px, 2px 50%, 2px 50%; background-position: 0 50%, 0 100%, 100% 100%; border-bottom: 2px solid var(--predicted); }
.feb-strip [data-kind="guidance"] { --computed: var(--guidance); --reused: var(--guidance); --predicted: var(--guidance); }
.feb-strip [data-state="resting"] { border-bottom: 2px solid var(--descrip-text, #999); }
.feb-strip [data-state="open"] { border: 1px dashed var(--input-text, #ddd); }
.feb-strip [data-ahead] { opacity: 0.35; }
.feb-strip-example .feb-strip-row, .feb-strip-example .feb-strip-curve { opacity: 0.45; }
.feb-strip [data-now] { outline: 2px solid var(--input-text, #fff); }
.feb-strip [data-pending] { outline: 2px dashed var(--input-text, #fff); outline-offset: -1px; }
.feb-strip-stage { position: absolute; top: -2px; bottom: -2px; width: 0; border-left: 2px solid var(--input-text, #fff); pointer-events: none; }
.feb-strip-change { position: absolute; top: -3px; bottom: -3px; width: 0; border-left: 4px double var(--input-text, #fff); pointer-events: none; }
.feb-strip-key > .feb-strip-change { position: static; width: 4px; }
.feb-strip-curve { width: 100%; height: 16px; overflow: visible; }
.feb-strip-curve polyline { fill: none; stroke: var(--input-text, #ddd); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.feb-strip-axis { position: relative; height: 12px; font-size: 10px; color: var(--descrip-text, #999); }
.feb-strip-axis > span { position: absolute; transform: translateX(-50%); }
.feb-strip-words { flex: 1 1 0; min-height: 0; overflow: auto; scrollbar-width: thin; overflow-wrap: anywhere; user-select: text;
  padding-bottom: 8px; mask-image: linear-gradient(#000 calc(100% - 8px), transparent); }
.feb-strip-words p { margin: 0 0 2px; }
.feb-strip-words .feb-strip-strong { font-weight: 600; font-size: 12px; }
.feb-strip-words .feb-strip-wrong::before { content: "⚠ "; }
.feb-strip-words .feb-strip-wrong { font-weight: 600; color: color-mix(in srgb, var(--error-text, #ff6b6b) 60%, var(--input-text, #ddd)); } /* legible on both themes */
.feb-strip-more { color: var(--descrip-text, #999); }
.feb-strip-more > summary { cursor: pointer; width: max-content; }
`;

/**
 * A strip, with `element` to show. `say`: as words.js makes it. `edit(kind, steps, compute)` is called for cells that were clicked or dragged over, `clear()` for the
 * button.
 */
export class Strip {
  constructor(say, edit, clear) {
    addStyle("feb-strip-style", STYLE);
    [this.say, this.edit] = [say, edit];
    this.element = element("div", "feb-strip", null);
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", say("title"));
    this.head = element("div", "feb-strip-head", this.element);
    this.corner = element("span", "feb-strip-corner", this.head); // for buttons
    this.chart = element("div", "feb-strip-chart", this.element);
    this.words = element("div", "feb-strip-words", this.element);
    this.lines = element("div", "feb-strip-lines", this.words);
    this.lines.setAttribute("aria-live", "polite");
    this.more = element("details", "feb-strip-more", this.words);
    element("summary", "", this.more, { textContent: say("details") });
    this.behind = element("div", "", this.more);
    this.clearButton = element("button", "feb-strip-clear", null, { type: "button", textContent: say("clear"), title: say("clearTip") });
    this.clearButton.addEventListener("click", clear);
    this.cells = new Map(); // by kind, in the order of steps
    this.chart.addEventListener("pointerdown", (event) => this.#press(event));
    this.chart.addEventListener("click", (event) => event.detail === 0 && this.#toggle(event.target)); // by the keyboard
    this.chart.addEventListener("keydown", (event) => this.#walk(event));
  }

  /**
   * Shows `cells` by kind, each a state by step, and words as in `tell`. `reached` is null, or, while a run goes on, how many steps are done: those ahead are
   * pale, and so are all of an `example`. `change`: the step at which another model takes over, if there is one.
   */
  show({ cells, boundary, scale, change, lines, more, editable, edited, reached = null, example = false }) {
    this.editable = editable;
    this.element.classList.toggle("feb-strip-example", example);
    this.element.classList.toggle("feb-strip-editable", Boolean(editable));
    this.#shape(cells, boundary, scale, change);
    for (const [kind, states] of Object.entries(cells)) {
      states.forEach((state, step) => this.#paint(this.cells.get(kind)[step], kind, step, state, reached));
    }
    this.#legend(new Set(Object.entries(cells).flatMap(([kind, states]) => states.map((state) => nameOf(kind, state)))), edited, change);
    this.tell(lines, more);
  }

  /** Shows `lines`, a list of [text, strong or wrong or nothing], and the texts of `more` behind "details". */
  tell(lines, more = []) {
    if (this.lines.firstChild?.textContent !== lines[0]?.[0]) this.words.scrollTop = 0; // what is new is read first
    this.lines.replaceChildren(...lines.map(([text, how]) => element("p", how ? `feb-strip-${how}` : "", null, { textContent: text })));
    this.behind.replaceChildren(...more.map((text) => element("p", "", null, { textContent: text })));
    this.more.hidden = !more.length;
  }

  #shape(cells, boundary, scale, change) {
    const shape = JSON.stringify([Object.entries(cells).map(([kind, states]) => [kind, states.length]), boundary, scale, change]);
    if (shape === this.shape) return;
    this.shape = shape;
    this.cells.clear();
    this.chart.replaceChildren();
    const steps = Object.values(cells)[0].length;
    for (const kind of Object.keys(cells)) this.#row(kind, steps, boundary, change);
    if (scale) this.#curve(scale);
    this.#axis(steps);
  }

  #row(kind, steps, boundary, change) {
    element("span", "", this.chart, { textContent: this.say(kind) });
    const row = element("div", "feb-strip-row", this.chart);
    const made = Array.from({ length: steps }, (_, step) => element("button", "feb-strip-cell", row, { type: "button", tabIndex: step ? -1 : 0 }));
    made.forEach((cell, step) => Object.assign(cell.dataset, { kind, step }));
    this.cells.set(kind, made);
    if (boundary > 0 && boundary < steps) {
      element("div", "feb-strip-stage", row).style.left = `calc(${(100 * boundary) / steps}% - 1px)`;
    }
    if (change) element("div", "feb-strip-change", row).style.left = `calc(${(100 * change) / steps}% - 2px)`;
  }

  #curve(scale) {
    const [low, high] = [Math.min(1, ...scale), Math.max(1, ...scale)];
    const [first, last] = [scale[0], scale.at(-1)].map((value) => value.toFixed(3));
    const text = this.say("scale", { first, last, low: low.toFixed(3), high: high.toFixed(3) });
    element("span", "", this.chart, { textContent: this.say("noise"), title: text });
    const svg = document.createElementNS(SVG, "svg"), line = document.createElementNS(SVG, "polyline"), title = document.createElementNS(SVG, "title");
    title.textContent = text;
    svg.setAttribute("class", "feb-strip-curve");
    svg.setAttribute("viewBox", `0 0 ${scale.length} 1`);
    svg.setAttribute("preserveAspectRatio", "none");
    line.setAttribute("points", scale.map((value, step) => `${step + 0.5},${(high - value) / (high - low || 1)}`).join(" "));
    svg.append(title, line);
    this.chart.append(svg);
  }

  #axis(steps) {
    element("span", "", this.chart, { textContent: this.say("step") });
    const axis = element("div", "feb-strip-axis", this.chart);
    const every = Math.max(1, Math.ceil((steps - 1) / 5));
    for (let step = 0; step < steps; step += every) {
      element("span", "", axis, { textContent: step }).style.left = `${(100 * (step + 0.5)) / steps}%`;
    }
  }

  #paint(cell, kind, step, state, reached) {
    const ahead = reached !== null && step >= reached;
    cell.dataset.state = state;
    cell.toggleAttribute("data-ahead", ahead);
    cell.toggleAttribute("data-now", reached !== null && step === reached);
    cell.removeAttribute("data-pending");
    cell.title = this.say(ahead ? "ahead" : "cell", { step, kind: this.say(kind), state: this.say(`is_${nameOf(kind, state)}`) });
    cell.setAttribute("aria-label", cell.title);
  }

  #legend(names, edited, change) {
    const known = JSON.stringify([...names].sort()) + edited + Boolean(change);
    if (known === this.legend) return;
    this.legend = known;
    this.head.replaceChildren();
    for (const name of NAMES.filter((each) => names.has(each))) {
      const key = element("span", "feb-strip-key", this.head, { title: this.say(`is_${name}`) }), kind = GUIDED.includes(name) ? "guidance" : "";
      Object.assign(element("i", "", key).dataset, { kind, state: name.replace("guidance_", "") });
      key.append(this.say(`key_${name}`));
    }
    if (change) {
      const key = element("span", "feb-strip-key", this.head, { title: this.say("is_change") });
      element("i", "feb-strip-change", key);
      key.append(this.say("key_change"));
    }
    this.head.append(this.corner);
    if (edited) this.corner.prepend(this.clearButton);
    else this.clearButton.remove();
  }

  #press(event) {
    const first = event.target.closest?.(".feb-strip-cell");
    if (!first || !this.editable || event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation(); // or the node would be dragged
    const { kind } = first.dataset, compute = first.dataset.state !== "computed", touched = new Set([first]);
    first.focus({ preventScroll: true });
    first.setAttribute("data-pending", "");
    const over = (moved) => {
      const cell = document.elementFromPoint(moved.clientX, moved.clientY)?.closest(".feb-strip-cell");
      if (!cell || cell.dataset.kind !== kind || !this.element.contains(cell)) return;
      touched.add(cell);
      cell.setAttribute("data-pending", "");
    };
    const up = () => {
      window.removeEventListener("pointermove", over, true);
      window.removeEventListener("pointerup", up, true);
      this.edit(kind, [...touched].map((cell) => Number(cell.dataset.step)), compute);
    };
    window.addEventListener("pointermove", over, true);
    window.addEventListener("pointerup", up, true);
  }

  #toggle(cell) {
    if (this.editable && cell.dataset.step) this.edit(cell.dataset.kind, [Number(cell.dataset.step)], cell.dataset.state !== "computed");
  }

  #walk(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const row = this.cells.get(event.target.dataset.kind);
    if (!by || !row) return;
    event.preventDefault();
    event.stopPropagation();
    row[Number(event.target.dataset.step) + by]?.focus({ preventScroll: true });
  }
}
