"""A contest of caches on a ComfyUI model: its entrants, sampled with the same seeds, and their scores."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean

import torch
from torch import Tensor

from ...cache_core import MODULES, OUTPUT, ConfigError, HostError, Kind, Plan
from ...cache_core.calibrate import Ledger, Lesson, SiteRecorder
from ...cache_core.calibrate.learn import recorded
from ...cache_core.calibrate.ledger import Results
from ...cache_core.calibrate.recording import relative_l2
from ...cache_core.contest import Entrant, Score, fewer_sigmas, kept_as
from ...cache_core.methods import METHODS, Displaced, Profile, trying
from ...cache_core.planning.steps import computed_steps
from ...cache_core.settings.method import LEARNED, RELEASED, MethodSettings
from ...cache_core.settings.saved import ComputedSettings, SavedPlanSettings
from ...cache_core.show.report import RunReport
from ...cache_core.show.similarity import WINDOW, psnr, ssim
from ...cache_core.site import BRANCHES
from . import attach
from .bench import ComfyBench
from .mailbox import Mailbox
from .variant import merges, variant_of

log = logging.getLogger("feb_ab_cache")
MOST = 100.0  # dB, where nothing differs
SOLVER = "ipndm"  # of the fewer steps that make up for their number by a higher order
Decode = Callable[[Tensor], Tensor]  # a latent to pictures (N, H, W, 3) in [0, 1]


def work(report: RunReport) -> float:
    """Computed evaluations of a run: those of its kinds, on average; without the unconditional branch half of that."""
    shares = {Kind(name): share for name, share in report.shares.items()}
    always = {kind: 1.0 for kind in MODULES if shares.keys() & MODULES}
    inside = [share for kind, share in {**always, **shares}.items() if kind is not Kind.GUIDANCE]
    return report.evaluations * (mean(inside) if inside else 1.0) * (1 + shares.get(Kind.GUIDANCE, 1.0)) / 2


@dataclass
class Contest:
    """One contest. `names`: of the methods; `curves`: released, learned or both; `pictures`: seeds for each entrant,
    behind the one that plans are learned from. `refused`: names of those that took no part, with the reason.
    `evaluations`: of an uncached picture; some samplers ask several times in a step."""

    bench: ComfyBench
    ledger: Ledger
    decode: Decode
    speedup: float
    names: Sequence[str]
    curves: Sequence[str]
    pictures: int
    refused: dict[str, str] = field(default_factory=dict)
    shown: dict[str, Tensor] = field(default_factory=dict)  # pictures of each entrant, by name
    evaluations: float = 0.0

    @property
    def target(self) -> float:
        """Computed evaluations of an entrant, once an uncached picture was sampled."""
        return self.evaluations / self.speedup

    def run(self) -> tuple[list[Score], tuple[float, float]]:
        """Scores of all that took part, and evaluations and seconds of an uncached picture."""
        plain = self._played(Entrant("uncached"), 1.0)
        self.evaluations, seconds = torch.stack([found["numbers"] for found in plain]).mean(0).tolist()[:2]
        references = [found["final"] for found in plain]
        self.shown["uncached"] = torch.cat([self.decode(final)[:1] for final in references])
        scores = []
        for entrant in self._entrants():
            if not entrant.refusal and not self.ledger.affords(self.pictures / self.speedup):
                self.refused[entrant.name] = "the budget ends before it. Raise contest_budget"
            elif entrant.refusal:
                self.refused[entrant.name] = entrant.refusal
            else:
                scores.append(self._score(entrant, references))
        return scores, (self.evaluations, seconds)

    def _score(self, entrant: Entrant, references: Sequence[Tensor]) -> Score:
        found = self._played(entrant, 1 / self.speedup)
        self.shown[entrant.name] = torch.cat([self.decode(results["final"])[:1] for results in found])
        pairs = zip(found, references, strict=True)
        return Score.of(entrant, [scored(entrant, results, reference, self.decode) for results, reference in pairs])

    def _played(self, entrant: Entrant, share: float) -> list[Results]:
        """Final latents and numbers of the entrant's pictures, each at this share of an uncached one's price."""

        def work_of(number: int) -> Callable[[], Results]:
            return lambda: played(self.bench, self.ledger, number, entrant)

        doing = f"contest {entrant.name}"
        return [self.ledger.run(doing, share, work_of(n), n) for n in range(1, self.pictures + 1)]

    def _entrants(self) -> Iterator[Entrant]:
        """The learned plans, fewer steps, then each method."""
        sigmas, steps = self.bench.timeline.sigmas, self.bench.timeline.steps
        fewer = max(2, round(steps / self.speedup))
        of_solver = max(2, round(self.target))  # it asks once in a step
        recording = recorded(self.ledger, 0, branches=True)
        count = computed_steps(steps, self.speedup, fits=True)
        yield self._learned("AB-Cache learned", [recording], OUTPUT, count)
        yield Entrant(f"{fewer} steps", sigmas=fewer_sigmas(sigmas, fewer))
        yield Entrant(f"{of_solver} steps of {SOLVER}", sigmas=fewer_sigmas(sigmas, of_solver), sampler=SOLVER)
        if _has_blocks(self.bench.model):
            yield self._learned("FEB-Cache learned", [recording], MODULES, count)
        profile = replace(Profile.of(recording.recording), displaced=self._displaced())
        for name in self.names:
            if not METHODS[name].curves:
                yield self._method(name, RELEASED, None)
                continue
            for curves in self.curves:
                yield self._method(name, curves, profile if curves == LEARNED else None)

    def _displaced(self) -> Displaced | None:
        """How the parts that some methods try on the recorded picture displace the output; None where no method does,
        the model has none, or the budget does not pay for them."""
        lists, timeline = variant_of(self.bench.model).lists, self.bench.timeline
        plan = trying(lists, timeline.steps, "contest") if lists else None
        asked = plan and LEARNED in self.curves and any(METHODS[name].tries for name in self.names)
        cost = 1 + sum(map(len, plan.tries)) / timeline.steps if plan else 0.0
        return tried(self.ledger, plan, cost) if plan and asked and self.ledger.affords(cost) else None

    def _learned(self, name: str, recordings: list, kinds: frozenset, count: int) -> Entrant:
        lesson = Lesson(self.ledger, recordings, kinds, self.bench.origin(), lambda plan: None)
        plan = lesson.learned(count).plan
        return Entrant(name, SavedPlanSettings(name, plan), plan=plan)

    def _method(self, method: str, curves: str, profile: Profile | None) -> Entrant:
        model, name = self.bench.model, method
        if METHODS[method].curves:
            name += ", learned" if profile else ", released"
        if METHODS[method].kinds == BRANCHES and self.bench.cfg == 1.0:
            return Entrant(name, refusal="cfg is 1, so there is no second branch to leave out")
        variant, inside = variant_of(model), merges(model)
        try:
            settings = MethodSettings(
                method, 1 - 1 / self.speedup, curves, variant=variant, inside=inside, profile=profile
            )
            plan = settings.plan(self.bench.timeline)
        except ConfigError as error:
            return Entrant(name, refusal=str(error))
        return Entrant(name, settings, plan=kept_as(plan, self.bench.origin()))


def tried(ledger: Ledger, plan: Plan, cost: float) -> Displaced | None:
    """Displacements of the output by the parts that `plan` tries on the recorded picture; None where nothing could be
    reused. As JSON among the ledger's results, which are tensors."""

    def work() -> Results:
        recorder = SiteRecorder(ledger.bench.timeline)
        ledger.sample(0, (plan,), recorder)
        text = json.dumps(recorder.displaced()).encode()
        return {"json": torch.tensor(list(text), dtype=torch.uint8)}

    found = ledger.run("trying parts of the model", cost, work, cost)
    return Displaced.from_json(json.loads(bytes(found["json"].tolist())))


def played(bench: ComfyBench, ledger: Ledger, number: int, entrant: Entrant) -> Results:
    """The final latent of an entrant's picture, and its work, seconds and bytes. Raises ConfigError as attach does."""
    import comfy.samplers

    mailbox = Mailbox()
    settings = entrant.settings or ComputedSettings(entrant.name)
    model = attach.playing(bench.model, settings, ledger, mailbox)
    sigmas = torch.tensor(entrant.sigmas) if entrant.sigmas else bench.sigmas
    sampler = comfy.samplers.sampler_object(entrant.sampler) if entrant.sampler else bench.sampler
    final = bench.sampled(model, number, sampler, sigmas)
    report = mailbox.latest
    numbers = (work(report), report.seconds, report.peak_bytes) if report else (0.0, 0.0, 0.0)
    return {"final": final.float().cpu(), "numbers": torch.tensor(numbers, dtype=torch.float64)}


def scored(entrant: Entrant, results: Results, reference: Tensor, decode: Decode) -> Score:
    """The score of one picture against the uncached one of its seed."""
    picture, uncached = decode(results["final"]), decode(reference)
    alike = float(ssim(picture, uncached).mean()) if min(picture.shape[1:3]) >= WINDOW else float("nan")
    work_done, seconds, peak = results["numbers"].tolist()
    drift = relative_l2(results["final"], reference)
    return Score(
        entrant, work_done, seconds, float(psnr(picture, uncached).clamp(max=MOST).mean()), alike, drift, int(peak)
    )


def _has_blocks(model) -> bool:
    """True if FEB-Cache can have the model."""
    try:
        attach.require_blocks(model)
    except HostError:
        return False
    return True


def curves_named(curves: str) -> tuple[str, ...]:
    """Curves that the widget's choice stands for."""
    return {"both": (RELEASED, LEARNED)}.get(curves, (curves,))
