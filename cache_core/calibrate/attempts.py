"""Samplings that a calibration makes: uncached ones that are recorded, and ones with a plan that are compared with
them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import torch
from torch import Tensor

from ..errors import ConfigError
from ..plan import Plan
from ..predictor import Extrapolation, Fit
from ..saved_plan.file import packed, unpacked
from ..saved_plan.saved_plan import Origin, model_plan
from ..schedule import Steps
from ..site import OUTPUT
from .allowance import Allowance
from .bench import Bench, Watch
from .memo import Memo, Results
from .recording import Recorder, Recording, relative_l2, sampled_elements
from .tracking import Normal, Tracker


@dataclass(frozen=True)
class Recorded:
    """An uncached sampling, and the elements of its final latent that are compared `(P,)`."""

    recording: Recording
    final: Tensor


@dataclass(frozen=True)
class Attempt:
    """Steps that were computed in a sampling of each calibration sample. `fits`: fitted weights, or none: order 2
    alone. `drift`: relative L2 distance of the final latents to the uncached ones, root mean square over the samples
    that were not fitted to, if there are any; `drifts`: of the states before each step, `(N,)`."""

    name: str
    steps: tuple[int, ...]
    fits: tuple[Fit, ...]
    drift: float
    drifts: tuple[float, ...]


class Watches:
    """Several watches as one."""

    def __init__(self, *watches: Watch):
        self.watches = watches

    def begin(self, sigma: float, state: Tensor) -> None:
        for watch in self.watches:
            watch.begin(sigma, state)

    def end(self, output: Tensor) -> Tensor:
        for watch in self.watches:
            output = watch.end(output)
        return output


class Ticker:
    """Reports each evaluation of a sampling that costs `cost`, of which `ahead` others are not yet paid either."""

    def __init__(self, allowance: Allowance, doing: str, cost: float, steps: int, ahead: float):
        self._allowance, self._doing, self._tick, self._ahead = allowance, doing, cost / steps, ahead

    def begin(self, sigma: float, state: Tensor) -> None:
        self._allowance.say(self._doing, self._ahead)
        self._ahead += self._tick

    def end(self, output: Tensor) -> Tensor:
        return output


class Follower:
    """How far the states of a sampling are from the recorded ones, relative, by step."""

    def __init__(self, recording: Recording):
        self.recording = recording
        self.drifts: dict[int, float] = {}

    def begin(self, sigma: float, state: Tensor) -> None:
        step = self.recording.step_of(sigma)
        if step is not None:
            self.drifts[step] = relative_l2(self.recording.sampled_elements(state), self.recording.states[step])

    def end(self, output: Tensor) -> Tensor:
        return output


class Attempts:
    """Makes samplings, pays for them from `allowance`, and keeps what came of them in `memo`. `between`: see Tracker."""

    def __init__(self, bench: Bench, allowance: Allowance, memo: Memo, between: bool = True):
        self.bench, self.allowance, self.memo, self.between = bench, allowance, memo, between
        self.recorded: tuple[Recorded, ...] = ()
        self.made: list[Attempt] = []

    @property
    def steps(self) -> int:
        return self.bench.timeline.steps

    def cost(self, count: int) -> float:
        """Of a attempt that computes `count` steps, in uncached samplings; without a fit it is less."""
        return len(self.recorded) * count / self.steps

    def affords(self, count: int) -> bool:
        """Whether there is enough for one more attempt, and the fit to all samples that comes last."""
        return self.allowance.affords(self.cost(count) * (1 if len(self.recorded) == 1 else 2))

    def record(self, samples: int) -> None:
        """Sample without a cache, so many times. Raises ConfigError for a sampler that cannot be recorded."""
        for number in range(samples):
            found = self.memo.of(f"recorded_{number}", lambda number=number: self._record(number, samples))
            recording = Recording.of(self.bench.timeline, self.bench.scale, found["states"], found["outputs"])
            self.recorded += (Recorded(recording, found["final"]),)
            self.allowance.spend(1.0)

    def _record(self, number: int, samples: int) -> Results:
        recorder = Recorder(self.bench.timeline, self.bench.scale)
        final = self.bench.sample(
            number, watch=Watches(recorder, self._ticker(f"recording {number + 1} of {samples}", 1.0))
        )
        recording = recorder.recording()
        if recording is None:
            raise ConfigError(
                "This sampler cannot be calibrated: it leaves steps out, looks between two steps, or its outputs are "
                "not finite. "
                "Use euler, or another sampler that calls the model once at each step."
            )
        return {"states": recording.states, "outputs": recording.outputs, "final": sampled_elements(final)}

    @property
    def learners(self) -> range:
        """The samples that weights are fitted to: the first quarter. More judges tell more than more learners do."""
        return range(max(1, len(self.recorded) // 4))

    @property
    def judges(self) -> range:
        """The samples that tell attempts apart: the others; with one sample, that one."""
        return range(len(self.learners) if len(self.recorded) > 1 else 0, len(self.recorded))

    def fitted(self, name: str, steps: Sequence[int]) -> Attempt:
        """With weights fitted to the learners, one after the other."""
        return self._attempt(name, tuple(steps), self._fitted, len(self.recorded))

    def plain(self, name: str, steps: Sequence[int]) -> Attempt:
        """With order 2 alone."""
        return self._attempt(name, tuple(steps), self._judged, len(self.judges))

    def _attempt(self, name: str, steps: tuple[int, ...], make: Callable[..., Results], samplings: int) -> Attempt:
        found = self.memo.of(self._key(steps, make.__name__), lambda: make(name, steps))
        self.allowance.spend(samplings * len(steps) / self.steps)
        drift, *drifts = found["drifts"].tolist()
        self.made.append(Attempt(name, steps, unpacked(found["fits"]), drift, tuple(drifts)))
        return self.made[-1]

    def refitted(self, attempt: Attempt) -> Attempt:
        """With weights fitted to all samples: who judged it learns, now that it is chosen. Its drift stays that of
        samples it was not fitted to."""
        if not attempt.fits or len(self.recorded) == 1 or not self.allowance.affords(self.cost(len(attempt.steps))):
            return attempt
        found = self.memo.of(
            self._key(attempt.steps, "refitted"),
            lambda: {"fits": packed(self._learned(attempt.name, attempt.steps, range(len(self.recorded)))[0])},
        )
        self.allowance.spend(self.cost(len(attempt.steps)))
        return replace(attempt, fits=unpacked(found["fits"]))

    def _key(self, steps: tuple[int, ...], made: str) -> str:
        return "attempt_" + sha256(repr((steps, made, len(self.recorded), self.between)).encode()).hexdigest()[:16]

    def _fitted(self, name: str, steps: tuple[int, ...]) -> Results:
        """With one sample, it is the judged one, too."""
        fits, drifts = self._learned(name, steps, self.learners)
        if len(self.recorded) == 1:
            return {
                "fits": packed(fits),
                "drifts": root_mean_square([drifts]),
            }
        return self._judged(name, steps, fits)

    def _learned(self, name: str, steps: tuple[int, ...], learners: range) -> tuple[tuple[Fit, ...], list[float]]:
        """Weights fitted to the learners, each of whose own run is corrected as it is fitted, and the drifts of the last."""
        normal, fits, drifts = Normal(), (), []
        for number in learners:
            tracker = Tracker(self.recorded[number].recording, steps, normal, self.between)
            drifts = self._compared(number, number, Plan(Steps(OUTPUT, steps), Extrapolation(2), name=name), tracker)
            fits = tuple(tracker.fits.values())
        return fits, drifts

    def _judged(self, name: str, steps: tuple[int, ...], fits: tuple[Fit, ...] = ()) -> Results:
        judged = enumerate(self.judges, len(self.learners) if fits else 0)
        made = model_plan(steps, self.bench.timeline.sigmas, Origin("", samples=1), fits)
        plan = made.plan(self.bench.timeline, name)
        drifts = root_mean_square([self._compared(number, before, plan) for before, number in judged])
        return {"fits": packed(fits), "drifts": drifts}

    def _compared(self, number: int, before: int, plan: Plan, *watches: Watch) -> list[float]:
        """Sample with the plan, `before` samplings into an attempt: the drift of the final latent, and then of the
        state before each step."""
        recorded, share = (
            self.recorded[number],
            len(plan.schedule.table(self.bench.timeline).computed(*OUTPUT)) / self.steps,
        )
        follower = Follower(recorded.recording)
        ticker = self._ticker(f"{plan.name}, sample {number + 1}", share, before * share)
        final = self.bench.sample(number, (plan,), Watches(follower, *watches, ticker))
        return [
            relative_l2(sampled_elements(final), recorded.final),
            *(follower.drifts[step] for step in range(self.steps)),
        ]

    def _ticker(self, doing: str, cost: float, ahead: float = 0.0) -> Ticker:
        return Ticker(self.allowance, doing, cost, self.steps, ahead)


def root_mean_square(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).square().mean(0).sqrt()
