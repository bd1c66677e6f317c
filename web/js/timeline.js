// The timeline of the Apply nodes and Cache Method: what the next run will do with each step, and, while it goes on and after it, what it did. The plan comes from
// the pack's route, by the code that runs it. Without this file the nodes work the same: the widgets say it all.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { addWidget, takePlace } from "./dom.js";
import { idOf, setWidget, widgetOf } from "./links.js";
import { Advanced } from "./more.js";
import { joinedCells, joinedPlan, joinedRun } from "./pair.js";
import { caches } from "./rivals.js";
import { sceneOf } from "./scene.js";
import { findSamplings } from "./timeline_sampler.js";
import { Strip } from "./timeline_strip.js";
import { told } from "./told.js";
import { sourceOf, valueOf } from "./values.js";
import { wordsIn } from "./words.js";

const NAME = "feb_ab_cache.timeline";
const WIDGET = "timeline", CUSTOM = "custom";
const EDITS = { FEBCacheApply: "edited_steps", ABCacheApply: "computed_steps" }; // the widget that an edit of cells writes
const HEIGHT = { FEBCacheApply: 172, ABCacheApply: 158, CacheMethod: 186 }; // of the widget, at least: a head, the cells, and the first lines down to "details"; more words are scrolled to
const WIDTH = 270;
const PAUSE = 100; // milliseconds between two looks at the graph: the page does not tell when another node's widget or link changes
const RETRY = 2000; // milliseconds, when the server does not answer

const timelines = new Set();
const isOurs = (node) => node.comfyClass in HEIGHT;
const title = (node) => node.title || node.type;

async function ask(path, body) {
  const answer = await api.fetchApi(path, body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return answer.json();
}

/** A node for the route. */
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

/** What is shown of a plan, or of its run, where there is one: the `cells`, and how many are `done`. */
function shownOf(plan, run) {
  const kinds = Object.keys(plan.cells), became = own(run?.cells, kinds), intended = own(run?.planned, kinds);
  if (!became) return { run: null, cells: plan.cells, done: 0 };
  const cells = Object.fromEntries(kinds.map((kind) => [kind, became[kind].map((state, step) => state ?? intended[kind][step])]));
  return { run, cells, done: became[kinds[0]].filter(Boolean).length };
}

class Timeline {
  constructor(node) {
    this.node = node;
    this.say = wordsIn(app.ui.settings.getSettingValue("Comfy.Locale"));
    this.strip = new Strip(this.say, (kind, steps, compute) => this.#edit({ kind, steps, compute }), () => this.#write({ [EDITS[node.comfyClass]]: "" }));
    this.advanced = new Advanced(node, EDITS[node.comfyClass], this.say);
    this.strip.corner.append(this.advanced.button);
    [this.requests, this.plans, this.error] = [[], [], null]; // a plan for each sampling of the node's models, in turn
    [this.failed, this.rivals, this.samplers] = ["", [], []]; // an error of the last run; other caches on the models' way; ids of what samples them
    this.runs = {}; // the last run of each model, by its part
    this.key = this.runKey = ""; // what was asked for the plans that are shown, and when the runs were
    this.busy = this.restored = false;
    this.turn = 0;
  }

  /** What the route is asked for each sampling: all that its plan depends on. */
  #asked() {
    const { node } = this, found = findSamplings(node, isOurs);
    this.rivals = [...new Set(found.flatMap(({ along }) => along.filter((other) => !isOurs(other) && caches(other)).map(title)))];
    this.samplers = found.flatMap(({ sampler }) => (sampler ? [idOf(sampler)] : []));
    return found.map(({ sampling, sampler, along, beside, part }) => ({ ...described(node), node: idOf(node), part, beside: beside.map(described),
      sampling: sampling ?? {}, scene: sceneOf(along, sampler, isOurs) }));
  }

  /** Looks whether anything has changed, and shows the plan for it. */
  async look() {
    this.advanced.sync();
    if (this.busy || !this.node.graph || this.node.id < 0) return;
    takePlace(this.strip.element, this.node);
    const requests = this.#asked(), key = JSON.stringify([requests, this.rivals]);
    if (key === this.key) return;
    this.failed = "";
    await this.#renew(requests, key);
  }

  async #renew(requests, key) {
    this.busy = true;
    const turn = ++this.turn;
    let next = 0;
    try {
      const answers = await Promise.all(requests.map((request) => ask("/feb_cache/preview", request)));
      if (turn !== this.turn) return; // asked again since, when a run ended
      this.#take(answers, requests);
      if (!this.restored) await this.#restore(key);
    } catch {
      [this.error, key, next] = [this.say("silent"), "", RETRY];
    }
    this.key = key;
    setTimeout(() => (this.busy = false), next);
    if (this.runKey !== this.key && !this.#running()) this.runs = {};
    this.#draw();
  }

  #running() {
    return Object.values(this.runs).some((run) => run.running);
  }

  #take(answers, requests) {
    this.error = answers.find((answer) => answer.error)?.error ?? null;
    if (!this.error) this.plans = answers;
    this.requests = requests;
  }

  /** After a reload or an undo: the node's last runs, if they were of the plans that are shown and came to their end, or go on; or what ended one of this model. */
  async #restore(key) {
    this.restored = true;
    const states = await Promise.all(this.requests.map((request) =>
      ask(`/feb_cache/state?node=${encodeURIComponent(request.node)}&class=${request.class}&part=${request.part}`)));
    states.forEach((state, i) => {
      const { part } = this.requests[i], plan = this.plans[i];
      const same = plan && !plan.off && JSON.stringify(own(state.planned, Object.keys(plan.cells))) === JSON.stringify(plan.cells);
      if (!this.runs[part] && (state.running || (same && state.report?.finished))) [this.runs[part], this.runKey] = [state, key];
      if (same && state.failed && state.model === this.requests[i].scene.model) this.failed = state.failed.trim(); // not of another workflow
    });
  }

  /** A message of the server about a run of this node. */
  follow(state) {
    const parts = this.requests.map(({ part }) => part), begins = state.running && parts[0] === state.part;
    this.runs = { ...(begins ? {} : this.runs), [state.part]: state }; // without that of the other model in an earlier picture
    this.runKey = this.key;
    this.restored = true;
    if (begins) this.failed = "";
    if (state.running) this.#draw();
    else {
      const requests = this.#asked(); // more is known now: the sigmas, the seconds of a step, what was learned
      this.runKey = JSON.stringify([requests, this.rivals]);
      this.#renew(requests, this.runKey).catch(() => {});
    }
  }

  /** An error of the run of a node, this one or its sampler, takes the place of what was promised. */
  fail(id, message) {
    if (![idOf(this.node), ...this.samplers].includes(String(id))) return;
    this.failed = message.trim();
    this.#draw();
  }

  async #edit(edit) {
    let answer;
    try {
      answer = await ask("/feb_cache/preview", { ...this.#asked()[0], edit });
    } catch {
      answer = { error: this.say("unchanged") };
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
    const { canvas } = app, { preset, ...others } = values, named = preset && preset !== CUSTOM;
    canvas.emitBeforeChange?.();
    if (named) setWidget(this.node, "preset", preset, canvas); // it sets the others
    for (const [name, value] of Object.entries(others)) setWidget(this.node, name, value, canvas);
    if (preset) setWidget(this.node, "preset", preset, canvas); // which those may have left
    canvas.emitAfterChange?.();
    canvas.setDirty(true, true);
  }

  #draw() {
    if (!this.plans.length) {
      if (this.#wrong.length) this.strip.tell(this.#wrong.map((text) => [this.say.sentence(text), "wrong"]));
      return;
    }
    const shown = this.plans.map((plan, i) => shownOf(plan, this.runs[this.requests[i]?.part]));
    const plan = joinedPlan(this.plans), cells = joinedCells(shown.map((one) => one.cells)), run = joinedRun(shown);
    const same = Object.values(cells)[0].length === plan.steps;
    const { boundary, scale, change } = same ? plan : {};
    const [, edits] = widgetOf(this.node, EDITS[this.node.comfyClass]);
    this.strip.show({
      cells, boundary, scale, change, ...this.#words(plan, run), editable: plan.editable && !run?.running, edited: Boolean(edits?.value?.trim?.()),
      reached: run?.running ? run.done : null, example: (this.#example || plan.off) && !run,
    });
  }

  /** True if steps that are shown are nobody's: those of a sampling are not known, and there was no run. */
  get #example() {
    return this.plans.some(({ exact }, i) => !exact && !this.requests[i].sampling.steps);
  }

  /** What is wrong: with the last run, with the graph, or with the widgets. */
  get #wrong() {
    return [this.failed || (this.rivals.length && this.say("rival", { names: this.rivals.join(", ") })), this.error].filter(Boolean);
  }

  /** The steps of each sampling, and its sampler, in words; `unsure`: true if the graph does not tell them. */
  #where({ steps }) {
    const { say } = this, samplings = this.requests.map(({ sampling }) => sampling), lost = samplings.find(({ by, unknown }) => !by || unknown);
    if (lost) {
      const why = lost.unknown ? say("unknown", lost) : say("lost");
      return { unsure: true, where: `${say(this.#example ? "example" : "asBefore", { steps })} ${why}` };
    }
    const by = [...new Set(samplings.map(({ by, scheduler }) => [by, scheduler].filter(Boolean).join(", ")))].join(say("then"));
    const split = this.plans.length > 1 ? say("split", { each: this.plans.map((plan) => plan.steps).join(" + ") }) : "";
    return { unsure: false, where: say("where", { steps, by }) + split };
  }

  #words(plan, run) {
    return told(this.say, { plan, run, example: this.#example, wrong: this.#wrong, ...this.#where(plan) });
  }
}

function add(node) {
  const timeline = new Timeline(node);
  addWidget(node, WIDGET, "feb_cache_timeline", timeline.strip.element, HEIGHT[node.comfyClass], WIDTH);
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
  api.addEventListener("execution_error", ({ detail }) => timelines.forEach((timeline) => timeline.fail(detail.node_id, detail.exception_message)));
  app.registerExtension({
    name: NAME,
    setup() {
      setInterval(() => document.hidden || timelines.forEach((timeline) => timeline.look()), PAUSE);
    },
    nodeCreated(node) {
      if (isOurs(node)) add(node);
    },
  });
}
