// The timeline of the Apply nodes: what the next run will do with each step, and, while it goes on and after it, what it did. The plan comes from
// the pack's route, by the code that runs it. Without this file the nodes work the same: the widgets say it all.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { addWidget, takePlace } from "./dom.js";
import { idOf, setWidget, widgetOf } from "./links.js";
import { findSampling } from "./timeline_sampler.js";
import { Strip } from "./timeline_strip.js";
import { sourceOf, valueOf } from "./values.js";

const NAME = "feb_ab_cache.timeline";
const WIDGET = "timeline";
const EDITS = { FEBCacheApply: "edited_steps", ABCacheApply: "computed_steps" }; // the widget that an edit of cells writes
const HEIGHT = { FEBCacheApply: 272, ABCacheApply: 230 }; // of the widget, at least: what the words after a run take
const PAUSE = 100; // milliseconds between two looks at the graph: the page does not tell when another node's widget or link changes
const LOST = "no sampler was found that this model leads to";
const RETRY = 2000; // milliseconds, when the server does not answer

const timelines = new Set();

async function ask(path, body) {
  const answer = await api.fetchApi(path, body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return answer.json();
}

/** An Apply node for the route. */
function described(node) {
  const planned = sourceOf(node, "plan")?.node, plan = planned && { name: String(valueOf(planned, "plan_name") ?? "") };
  const widgets = Object.fromEntries(node.widgets.filter(({ name }) => name !== WIDGET).map(({ name }) => [name, widgetOf(node, name)[1].value]));
  return { class: node.comfyClass, widgets, plan };
}

/** Of the cells of a run those of `kinds`; where it had none of a kind, which was then computed whenever the model was; null where it had neither. */
function own(cells, kinds) {
  const stood = cells?.model?.map((state) => state && (state === "computed" ? state : "resting"));
  const found = kinds.map((kind) => [kind, cells?.[kind] ?? stood]);
  return found.every(([, states]) => states) ? Object.fromEntries(found) : null;
}

class Timeline {
  constructor(node) {
    this.node = node;
    this.strip = new Strip((kind, steps, compute) => this.#edit({ kind, steps, compute }), () => this.#write({ [EDITS[node.comfyClass]]: "" }));
    this.plan = this.run = this.error = null;
    this.key = this.runKey = ""; // what was asked for the plan that is shown, and when the run was
    this.busy = this.restored = false;
    this.turn = 0;
  }

  /** What the route is asked: all that the plan depends on. */
  #request() {
    const { node } = this, { sampling, beside } = findSampling(node, (other) => other.comfyClass in EDITS);
    return { ...described(node), node: idOf(node), beside: beside.map(described), sampling: sampling ?? {} };
  }

  /** Looks whether anything has changed, and shows the plan for it. */
  async look() {
    if (this.busy || !this.node.graph || this.node.id < 0) return;
    takePlace(this.strip.element, this.node);
    const request = this.#request(), key = JSON.stringify(request);
    if (key === this.key) return;
    await this.#renew(request, key);
  }

  async #renew(request, key) {
    this.busy = true;
    const turn = ++this.turn;
    let next = 0;
    try {
      const answer = await ask("/feb_cache/preview", request);
      if (turn !== this.turn) return; // asked again since, when a run ended
      this.#take(answer, request);
      if (!this.restored) await this.#restore(request, key);
    } catch {
      [this.error, key, next] = ["The server does not answer; the timeline is drawn again when it does.", "", RETRY];
    }
    this.key = key;
    setTimeout(() => (this.busy = false), next);
    if (this.runKey !== this.key && !this.run?.running) this.run = null;
    this.#draw();
  }

  #take(answer, request) {
    this.error = answer.error ?? null;
    if (!answer.error) this.plan = answer;
    this.sampling = request.sampling;
  }

  /** After a reload or an undo: the node's last run, if it was one of the plan that is shown, or goes on. */
  async #restore(request, key) {
    this.restored = true;
    const state = await ask(`/feb_cache/state?node=${encodeURIComponent(request.node)}&class=${request.class}`);
    const same = this.plan && JSON.stringify(own(state.planned, Object.keys(this.plan.cells))) === JSON.stringify(this.plan.cells);
    if (!this.run && (state.running || same)) [this.run, this.runKey] = [state, key];
  }

  /** A message of the server about a run of this node. */
  follow(state) {
    [this.run, this.runKey] = [state, this.key];
    this.restored = true;
    this.#draw();
    if (!state.running) {
      const request = this.#request(); // more is known now: the sigmas, the seconds of a step, what was learned
      this.#renew(request, JSON.stringify(request)).catch(() => {});
      this.runKey = JSON.stringify(request);
    }
  }

  async #edit(edit) {
    let answer;
    try {
      answer = await ask("/feb_cache/preview", { ...this.#request(), edit });
    } catch {
      answer = { error: "The server does not answer; nothing was changed." };
    }
    if (answer.error) {
      this.error = answer.error;
      this.#draw();
    } else {
      this.#write(answer.widgets);
    }
  }

  /** Writes widgets as one change that undo takes back. */
  #write(values) {
    const { canvas } = app, preset = ["preset", values.preset];
    canvas.emitBeforeChange?.();
    for (const [name, value] of [...(values.preset ? [preset] : []), ...Object.entries(values)]) {
      setWidget(this.node, name, value, canvas);
    }
    canvas.emitAfterChange?.();
    canvas.setDirty(true, true);
  }

  #draw() {
    if (!this.plan) {
      if (this.error) this.strip.words.textContent = this.error;
      return;
    }
    const kinds = Object.keys(this.plan.cells), became = own(this.run?.cells, kinds), intended = own(this.run?.planned, kinds), run = became && this.run;
    const done = became && became[kinds[0]].filter(Boolean).length;
    const cells = became ? Object.fromEntries(kinds.map((kind) => [kind, became[kind].map((state, step) => state ?? intended[kind][step])])) : this.plan.cells;
    const same = cells[kinds[0]].length === this.plan.steps;
    const { boundary, scale } = same ? this.plan : {};
    const [, edits] = widgetOf(this.node, EDITS[this.node.comfyClass]);
    this.strip.show({
      cells, boundary, scale, words: this.#words(run, done), editable: this.plan.editable && !run?.running, edited: Boolean(edits?.value?.trim?.()),
      reached: run?.running ? done : null, example: this.#example && !became,
    });
  }

  /** True if the steps that are shown are nobody's: those of the sampling are not known, and there was no run. */
  get #example() {
    return !this.plan.exact && !this.sampling?.steps;
  }

  #where() {
    const { by, scheduler, unknown } = this.sampling ?? {}, { steps, exact } = this.plan;
    if (by && !unknown) return `${steps} steps (${by}${scheduler ? `, ${scheduler}` : ""})${exact ? "" : "; stages estimated until the first run"}`;
    const why = unknown ? `the steps of ${by} come from ${unknown}, and only a run can tell them` : LOST;
    return this.#example ? `No steps are known, ${steps} are an example: ${why}` : `${steps} steps as in the last run: ${why}`;
  }

  #words(run, done) {
    const { lines, fixed } = this.plan, said = [[this.#where(), this.#example ? "strong" : ""], ...(fixed ? [[fixed, ""]] : [])];
    if (this.error) said.unshift([this.error, "wrong"]);
    if (!run) return [...said, ...lines.map((line, i) => [line, i === 1 && !this.#example ? "strong" : ""])];
    const rate = run.rate === null ? "" : `, ${run.rate.toFixed(2)}x`;
    const [head, ...rest] = run.lines;
    if (run.running) return [[`running: ${done} of ${run.steps} steps${rate}${rate && " so far"}`, "strong"], [head, ""], ...rest.map((line) => [line, ""])];
    const [did, ...notes] = rest.map((line) => [line, ""]);
    return [[`last run: ${head}`, "strong"], did, [`next run: ${lines[1]}`, ""], ...notes, ...said];
  }
}

function add(node) {
  const timeline = new Timeline(node);
  addWidget(node, WIDGET, "feb_cache_timeline", timeline.strip.element, HEIGHT[node.comfyClass], 400);
  timelines.add(timeline);
  const { onRemoved } = node;
  node.onRemoved = function () {
    timelines.delete(timeline);
    return onRemoved?.apply(this, arguments);
  };
}

// ComfyUI serves a pack that sits in a folder of another name than in its pyproject.toml under both names.
if (!app.extensions.some((extension) => extension.name === NAME)) {
  // At once and not in setup: a page that is loaded while a run goes on would find nobody for its first messages, and say so.
  api.addEventListener("feb_cache.progress", ({ detail }) => {
    timelines.forEach((timeline) => idOf(timeline.node) === detail.node && timeline.node.comfyClass === detail.class && timeline.follow(detail));
  });
  app.registerExtension({
    name: NAME,
    setup() {
      setInterval(() => document.hidden || timelines.forEach((timeline) => timeline.look()), PAUSE);
    },
    nodeCreated(node) {
      if (node.comfyClass in EDITS) add(node);
    },
  });
}
