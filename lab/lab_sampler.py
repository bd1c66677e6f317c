"""The demo's sampling by the lab's own loop, without ComfyUI: the first picture is learned from, then plans run."""

import torch
from torch import Tensor

from cache_core import Plan, RunReport
from cache_core.calibrate import Ledger, Lesson
from cache_core.calibrate.learn import recorded
from cache_core.saved_plan.saved_plan import Origin
from cache_core.settings.foreseen import SPEEDUP, computed_steps

from .bench import LabBench
from .demo import as_pictures
from .families import Family
from .rows import Setting, seeds_of
from .sample import flow_sigmas, noise_of, sample
from .scenes import CLASSES

BUDGET = 3.0  # uncached samplings that a learned plan may take: one to record, the others to fit its weights
MOST_DRIFT = 0.1  # as the nodes have it: above, the plan computes as many steps as the preset does before it learns


class LabSampler:
    """Pictures `(B, 3, 64, 64)`, or clips `(B, 3, T, 64, 64)`, of the demo's seeds, and the report of the run."""

    def __init__(self, family: Family, steps: int, pictures: int):
        self.bench, self.plans = LabBench(family, steps, guidance=family.guidance), dict[str, Plan]()
        seeds = seeds_of(family, pictures)
        self.noise, self.labels = noise_of(seeds, family.latents), torch.tensor(seeds) % len(CLASSES)

    def first(self, setting: Setting) -> None:
        """The first picture, of a seed that is not compared. A setting that learns has its plan after it."""
        if not setting.learn:
            self.bench.sample(0)
            return
        settings, timeline, ledger = setting.settings, self.bench.timeline, Ledger(self.bench, BUDGET)
        assert settings
        lesson = Lesson(ledger, [recorded(ledger, 0)], settings.kinds, Origin(""), lambda plan: None)
        plan = lesson.learned(computed_steps(timeline.steps, settings.learns)).plan
        if (plan.drift or 0.0) > MOST_DRIFT:
            plan = lesson.learned(computed_steps(timeline.steps, SPEEDUP)).plan
        self.plans[setting.name] = plan.plan(timeline, setting.name)

    def __call__(self, setting: Setting) -> tuple[Tensor, RunReport | None]:
        bench = self.bench
        sigmas = flow_sigmas(setting.steps, bench.family.shift) if setting.steps else bench.sigmas
        plans = (self.plans[setting.name],) if setting.learn else setting.plans(bench.timeline)
        latents, report = sample(bench.model, self.noise, self.labels, sigmas, plans, bench.guidance)
        return as_pictures(latents, bench.family), report
