"""One cell of lab.settings: a model, a sampler and its settings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from statistics import median
from time import process_time

import torch
from torch import Tensor

from cache_core import MODULES, OUTPUT, Extrapolation, Kind, Plan, Steps, evenly
from cache_core.calibrate import Ledger, Lesson
from cache_core.calibrate.learn import recorded
from cache_core.calibrate.modules import merged_cost
from cache_core.saved_plan.saved_plan import Origin
from cache_core.settings import ABSettings, FEBSettings
from cache_core.settings.ab import LEARNED
from cache_core.show import similarity

from .bench import FIRST_CALIBRATED, LabBench
from .demo import as_pictures
from .easycache import EasyCache, at_most
from .families import Family
from .ode import Velocity
from .sample import load, noise_of, simple_sigmas, uncached_velocity
from .scenes import CLASSES
from .solvers import SOLVERS

FIRST_TESTED = 5000
RIVALS = ("ipndm", "res_multistep")  # solvers in fewer steps, besides the setting's own
SITES = {"output": OUTPUT, "hidden state": MODULES}


@dataclass(frozen=True)
class Setting:
    """Settings of a sampler. `shift` 0 = the family's own. `experts`: the halves of the steps are two samplings."""

    name: str
    steps: int
    solver: str = "euler"
    cfg: float = 1.0
    shift: float = 0.0
    experts: bool = False

    @property
    def speedups(self) -> tuple[float, ...]:
        """Steps for each evaluation of the learned plans."""
        return (1.3, 1.6) if self.steps == 8 else (1.5, 2.0, 3.0)

    @property
    def feb_speedups(self) -> tuple[float, ...]:
        """Measured speed-ups of FEB-Cache's learned plans."""
        return (1.3, 1.6) if self.steps == 8 else (1.4, 2.0)

    def text(self, family: Family) -> str:
        """The settings in words."""
        steps = f"{self.steps // 2}+{self.steps // 2}" if self.experts else f"{self.steps}"
        return f"({self.name}) {steps} {self.solver}, cfg {self.cfg:g}, shift {self.shift or family.shift:g}"


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("a", 20),
        Setting("b", 20, "res_multistep"),
        Setting("c", 25),
        Setting("d", 20, cfg=3.5, shift=5, experts=True),
        Setting("e", 20, cfg=6, shift=7),
        Setting("f", 30, "uni_pc", 6, 8),
        Setting("g", 40, cfg=4, shift=3.1),
        Setting("h", 25, "res_multistep", 4, 3),
        Setting("i", 8),
        Setting("i2", 8, "res_multistep"),
        Setting("j", 50, cfg=3.5),
    )
}


class Part(LabBench):
    """One sampling of a cell. `before`: the sampling that gives its first state, if it is the second expert's."""

    before: "Part | None" = None

    def drawn(self, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """First states and labels of some seeds."""
        if self.before is None:
            noise = noise_of(list(seeds), self.family.latents)
            return noise, torch.tensor([seed % len(CLASSES) for seed in seeds])
        noise, labels = self.before.drawn(seeds)
        return self.before.run(noise, labels), labels


class Cell:
    """A model and a setting, with the uncached samples of its test seeds."""

    def __init__(self, family: Family, setting: Setting, pictures: int):
        self.family, self.setting = family, setting
        self.model, self.shift = load(family)[0], setting.shift or family.shift
        self.sigmas = simple_sigmas(setting.steps, self.shift)
        half = setting.steps // 2
        pieces = (self.sigmas[: half + 1], self.sigmas[half:]) if setting.experts else (self.sigmas,)
        self.parts = [
            Part(family, len(piece) - 1, FIRST_CALIBRATED, self.model, piece, setting.solver, setting.cfg)
            for piece in pieces
        ]
        for before, after in zip(self.parts, self.parts[1:], strict=False):
            after.before = before
        self.seeds = list(range(FIRST_TESTED, FIRST_TESTED + pictures))
        self.noise, self.labels = self.parts[0].drawn(self.seeds)
        self.uncached = as_pictures(self.run([()] * len(self.parts)))
        self._plain: dict[tuple[str, int], dict] = {}
        self._easycached: dict[float, tuple[int, dict]] = {}

    def run(self, plans: Sequence[tuple[Plan, ...]]) -> Tensor:
        """Samples of the tested seeds, each part with its plans."""
        state = self.noise
        for part, own in zip(self.parts, plans, strict=True):
            state = part.run(state, self.labels, own)
        return state

    @cached_property
    def cost(self) -> float:
        """Time of a step that reuses attention and MLP, relative to a computed one."""
        bench = LabBench(self.family, 20, model=self.model)
        return median(merged_cost(Ledger(bench, 9), number, process_time) for number in range(3))

    def row(self, kind: str, name: str, samples: Tensor, evaluations: int, work: float | None = None) -> dict:
        """How near samples are to the uncached ones."""
        found = similarity.psnr(as_pictures(samples), self.uncached, peak=2.0)
        return {
            "model": self.family.name,
            "setting": self.setting.text(self.family),
            "steps": self.setting.steps,
            "pictures": len(self.seeds),
            "kind": kind,
            "name": name,
            "evaluations": evaluations,
            "work": round(evaluations if work is None else work, 2),
            "psnr_db": round(float(found.mean()), 2),
            "worst_psnr_db": round(float(found.min()), 2),
        }

    def velocity(self) -> Velocity:
        """The guided model."""
        return uncached_velocity(self.model, self.labels, self.setting.cfg)

    def plain(self, count: int) -> list[dict]:
        """Fewer steps of the same sampler and of others."""
        for solver in dict.fromkeys((self.setting.solver, *RIVALS)):
            if (solver, count) not in self._plain:
                samples = SOLVERS[solver](self.velocity(), self.noise, simple_sigmas(count, self.shift))
                self._plain[solver, count] = self.row("fewer steps", solver, samples, count)
        return [row for (_, own), row in self._plain.items() if own == count]

    def easycache(self, count: int) -> dict:
        """EasyCache's rule, at no more evaluations."""
        return at_most(self._reused, count)[1]

    def _reused(self, threshold: float) -> tuple[int, dict]:
        """Evaluations and row of EasyCache at a threshold."""
        if threshold not in self._easycached:
            rule = EasyCache(self.velocity(), threshold, self.shift)
            samples = SOLVERS[self.setting.solver](rule, self.noise, self.sigmas)
            row = self.row("EasyCache", f"threshold {threshold:.2f}", samples, rule.computed)
            self._easycached[threshold] = rule.computed, row
        return self._easycached[threshold]

    def cadences(self) -> Iterator[dict]:
        """Every second, third and fourth step after a warm-up, and even steps, on the output and the hidden state."""
        steps = self.parts[0].timeline.steps
        lists = {
            f"every {every} after {warm}": (*range(warm), *range(warm - 1 + every, steps - 1, every), steps - 1)
            for warm, every in product((2, 3), (2, 3, 4))
        }
        lists |= {f"even {n}": evenly(steps, n) for n in {round(steps / s) for s in self.setting.speedups}}
        for (name, computed), order, (site, kinds) in product(lists.items(), (2, 3), SITES.items()):
            plan = Plan(Steps(kinds, tuple(sorted({*computed}))), Extrapolation(order), merge=kinds == MODULES)
            yield self.of_plans("fixed cadence", f"{name}, {site}, order {order}", [plan] * len(self.parts))

    def of_plans(self, kind: str, name: str, plans: Sequence[Plan]) -> dict:
        """The row of a plan for each part."""
        computed = 0
        for part, plan in zip(self.parts, plans, strict=True):
            table = plan.schedule.table(part.timeline)
            computed += len(table.computed(Kind.MODEL if Kind.MODEL in table.kinds else Kind.ATTENTION))
        inside = plans[0].kinds >= MODULES
        work = computed + (self.setting.steps - computed) * self.cost if inside else None
        return self.row(kind, name, self.run([(plan,) for plan in plans]), computed, work)

    def learned(self, node: str, kinds: frozenset[Kind], speedup: float, learners: int, samples: int = 1) -> dict:
        """Plans learned from `samples` pictures: the median of `learners` of them, and the worst picture of all."""
        rows = []
        for number in range(learners):
            plans = [self._learned(part, kinds, speedup, FIRST_CALIBRATED + number, samples) for part in self.parts]
            rows.append(self.of_plans(node, f"{node}, learned from {samples}, {speedup:g}x", plans))
        middle = round(median(row["psnr_db"] for row in rows), 2)
        return {**rows[0], "psnr_db": middle, "worst_psnr_db": min(row["worst_psnr_db"] for row in rows)}

    def _learned(self, part: Part, kinds: frozenset[Kind], speedup: float, first: int, samples: int) -> Plan:
        steps = part.timeline.steps
        count = round(steps / speedup)
        if kinds == MODULES:
            count = round(steps * (1 / speedup - self.cost) / (1 - self.cost))
        part.first = first
        ledger = Ledger(part, 2.0 * samples)
        lesson = Lesson(ledger, [recorded(ledger, n) for n in range(samples)], kinds, Origin(""), lambda plan: None)
        return lesson.learned(max(4, count)).plan.plan(part.timeline, "learned")

    def presets(self) -> Iterator[dict]:
        """The named presets of both nodes, before anything is learned."""
        for kind in (ABSettings, FEBSettings):
            rows: dict[tuple, dict] = {}  # several presets may have one plan
            for name in LEARNED:
                settings = replace(kind.of(name, {}), learn=False)
                plans = [replace(settings.plan(part.timeline), name="preset") for part in self.parts]
                if (key := tuple(plans)) not in rows:
                    rows[key] = self.of_plans(kind.title, "", plans)
                yield {**rows[key], "name": f"{kind.title} {name}, unlearned"}
