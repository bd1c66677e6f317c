"""The demo's sampling by the lab's own loop, without ComfyUI: the first picture is learned from, then plans run."""

import torch
from torch import Tensor

from cache_core import Plan, RunReport
from cache_core.calibrate import Ledger, Lesson
from cache_core.calibrate.learn import recorded
from cache_core.saved_plan.saved_plan import Origin
from cache_core.settings.foreseen import computed_steps

from .bench import LabBench
from .demo import as_pictures
from .families import Family
from .rows import Setting, seeds_of
from .sample import flow_sigmas, noise_of, sample
from .scenes import CLASSES

BUDGET = 2.0  # uncached samplings that a learned plan may take: one to record, one to fit its weights


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
        count = computed_steps(timeline.steps, settings.learns)
        lesson = Lesson(ledger, [recorded(ledger, 0)], settings.kinds, Origin(""), lambda plan: None)
        self.plans[setting.name] = lesson.learned(count).plan.plan(timeline, setting.name)

    def __call__(self, setting: Setting) -> tuple[Tensor, RunReport | None]:
        bench = self.bench
        sigmas = flow_sigmas(setting.steps, bench.family.shift) if setting.steps else bench.sigmas
        plans = (self.plans[setting.name],) if setting.learn else setting.plans(bench.timeline)
        latents, report = sample(bench.model, self.noise, self.labels, sigmas, plans, bench.guidance)
        return as_pictures(latents, bench.family), report
