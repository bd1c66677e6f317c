"""A plan learned from pictures: recorded in full, planned from their outputs, and fitted to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigError, check_range
from ..modality import Modalities
from ..plan import MIN_STEPS, MOST_STEPS, Plan
from ..planning.steps import Tick, computed_steps, least_steps, nothing, planned_steps
from ..saved_plan.costs import Costs
from ..saved_plan.file import packed, unpacked
from ..saved_plan.saved_plan import Origin, SavedPlan
from ..schedule import TableAt, from_steps
from ..site import OUTPUT, Kind
from .bench import Watch, Watches
from .fit import fit
from .ledger import Ledger, Results
from .recording import Follower, Recorded, Recorder, Recording, drifts_by_modality

MOST_SPEEDUP, LEAST_SPEEDUP = 8.0, 1.2
UNRECORDED = (
    "This sampler cannot be calibrated: it leaves steps out, looks between two steps, or its outputs are not finite. "
    "Set sampler to euler, or to another one that calls the model once at each step."
)
Keep = Callable[[SavedPlan], None]  # is given each plan that was made on the way


@dataclass(frozen=True)
class Request:
    """The wanted plan. `speedup`: of an uncached sampling. `drift`: above 0, the fewest computed steps whose drift
    stays below it, instead. `samples`: recorded, at most. `budget`: in uncached samplings. Raises ConfigError."""

    speedup: float = 3.0
    drift: float = 0.0
    samples: int = 8
    budget: float = 12.0

    def __post_init__(self) -> None:
        check_range("target_speedup", self.speedup, LEAST_SPEEDUP, MOST_SPEEDUP)
        check_range("target_drift", self.drift, 0.0, 1.0)
        check_range("samples", self.samples, 1, 64)
        check_range("calibration_budget", self.budget, 2, 1000)

    def affordable(self, share: float, trials: int = 0) -> int:
        """Samples that the budget pays beside `trials`, where a run with the plan costs `share` of an uncached one."""
        return max(1, min(self.samples, int((self.budget - trials * share) / (1 + share))))


@dataclass(frozen=True)
class Found:
    """The plan; drift `(N,)` of the states before each step, on the last picture; cost in uncached samplings."""

    plan: SavedPlan
    drifts: tuple[float, ...]
    spent: float


def steps_for(
    recordings: Sequence[Recording],
    count: int,
    signal: Sequence[float],
    tick: Tick = nothing,
    shares: Sequence[float] = (),
) -> tuple:
    """The `count` steps that displace the recorded samplings least in sum, once predictions are fitted; see
    planning.steps.planned_steps. `shares`: weights of the modalities, alike if there are none."""
    first = recordings[0]
    gram = np.sum([recording.balanced(shares).gram().numpy() for recording in recordings], axis=0)
    return planned_steps(gram, first.nodes, first.response.final, signal, count, tick)


def calibrate_output(ledger: Ledger, origin: Origin, request: Request, keep: Keep = lambda plan: None) -> Found:
    """The plan for the model's output. The same bench and request give the same plan.

    Raises ConfigError for a target_speedup that leaves too few steps, before anything is sampled, and for a sampler
    that cannot be recorded.
    """
    steps = ledger.bench.timeline.steps
    check_range("steps", steps, MIN_STEPS, MOST_STEPS)
    count = computed_steps(steps, LEAST_SPEEDUP if request.drift else request.speedup, fits=True)
    least = least_steps(steps, fits=True)
    halvings = (count - least).bit_length() if request.drift else 0
    samples = request.affordable(count / steps, halvings)
    lesson = Lesson(ledger, [recorded(ledger, n) for n in range(samples)], OUTPUT, origin, keep)
    if request.drift:
        count = lesson.fewest(request, least, count)
    return lesson.learned(count)


@dataclass(frozen=True)
class Lesson:
    """Pictures to learn from. `costs`: of attention and MLP; None for the output. `keep` is given each plan."""

    ledger: Ledger
    recorded: Sequence[Recorded]
    kinds: frozenset[Kind]
    origin: Origin
    keep: Keep
    costs: Costs | None = None

    def learned(self, count: int, samples: int | None = None) -> Found:
        """The plan that computes `count` steps, learned from the first `samples` pictures, or from all."""
        known, timeline = self.recorded[:samples], self.ledger.bench.timeline
        steps = steps_for([r.recording for r in known], count, timeline.signal)
        origin = replace(self.origin, samples=len(known), made=str(date.today()))
        table = TableAt(from_steps(self.kinds, steps, timeline.steps), timeline.sigmas)
        bare = SavedPlan(origin, table, costs=self.costs)
        cost = len(known) / bare.speedup
        work = f"fitting weights: {count} of {timeline.steps} steps computed"
        found = self.ledger.run(work, cost, lambda: self._fitted(known, steps), steps, len(known), samplings=len(known))
        drifts = found["drifts"].tolist()
        each = tuple(found["each"].tolist())
        drift = max(each)
        if drift == float("inf"):
            raise ConfigError(
                f"The plan leads this sampler astray, even with {count} of {timeline.steps} steps computed. Set "
                "sampler to euler or another one, or leave the cache off."
            )
        plan = replace(bare, **of_fits(found), drift=drift, drifts=named(timeline.modalities, each))
        self.keep(plan)
        return Found(plan, tuple(drifts), self.ledger.spent)

    def _fitted(self, known: Sequence[Recorded], steps: Sequence[int]) -> Results:
        """Fits to the pictures, one after the other, and of the last one the drifts of its final latent, by modality,
        and of the states before each step, `(N,)`."""
        left, follower = iter(range(len(known))), Follower(known[-1].recording)

        def sample(plan: Plan, tracker: Watch) -> Tensor:
            number = next(left)
            last = number == len(known) - 1
            return self.ledger.sample(number, (plan,), Watches(follower if last else None, tracker))

        fits, final = fit(sample, (r.recording for r in known), self.kinds, steps)
        last = known[-1].recording
        each = drifts_by_modality(last.sampled_elements(final), known[-1].final, last.lengths)
        drifts = [follower.drifts[step] for step in range(self.ledger.bench.timeline.steps)]
        packs = {f"fits_{place}": packed(own) for place, own in enumerate(fits)}
        return {**packs, "each": torch.tensor(each).double(), "drifts": torch.tensor(drifts).double()}

    def fewest(self, request: Request, low: int, high: int) -> int:
        """The fewest computed steps, `low` to `high`, whose plan from one picture drifts by at most the wanted drift,
        by bisection; `high` if none does, or the budget ends."""
        while low < high:
            middle = (low + high) // 2
            most = (middle + len(self.recorded) * high) / self.ledger.bench.timeline.steps
            if not self.ledger.affords(most):
                return high
            drift = self.learned(middle, 1).plan.drift or 0.0
            low, high = (low, middle) if drift <= request.drift else (middle + 1, high)
        return high


def of_fits(found: Results) -> dict[str, Any]:
    """Fields of a SavedPlan with the fits in `found`, those of the first modality apart."""
    first, *others = [
        unpacked(found[f"fits_{place}"]) for place in range(len(found["each"])) if f"fits_{place}" in found
    ]
    return {"fits": first, "others": tuple(others)}


def named(modalities: Modalities, drifts: Sequence[float]) -> tuple[tuple[str, float], ...]:
    """Drifts by the names of the modalities; none where there is but one."""
    return tuple((modality.name, drift) for modality, drift in zip(modalities, drifts, strict=False))


def recorded(ledger: Ledger, number: int, branches: bool = False) -> Recorded:
    """An uncached sample, on request with the differences of the guidance's `branches`. Raises ConfigError for a
    sampler that cannot be recorded."""
    timeline = ledger.bench.timeline

    def work() -> Results:
        recorder = Recorder(timeline, branches)
        final = ledger.sample(number, watch=recorder)
        recording = recorder.recording()
        if recording is None:
            raise ConfigError(UNRECORDED)
        found = {"states": recording.states, "outputs": recording.outputs, "shape": torch.tensor(recorder.shape)}
        apart = {} if recording.differences is None else {"differences": recording.differences}
        return {**found, **apart, "final": recording.sampled_elements(final)}

    found = ledger.run(f"recording sample {number + 1}", 1.0, work, *(["branches"] if branches else []))
    shape = found["shape"].tolist()
    recording = Recording.of(timeline, found["states"], found["outputs"], shape, found.get("differences"))
    return Recorded(recording, found["final"])
