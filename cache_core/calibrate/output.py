"""The plan for the model's output (AB-Cache): uncached samples, planned steps, and fitted weights."""

from ..errors import ConfigError, check_range
from ..plan import MIN_STEPS, MOST_STEPS
from ..saved_plan.saved_plan import Origin
from ..schedule import evenly
from ..site import OUTPUT
from .ledger import Ledger, Results
from .recording import Recorded, Recorder, Recording, sampled_elements
from .search import LEAST_SPEEDUP, Candidate, Contest, Found, Keep, Request, fewest, search
from .steps import computed_steps, least_steps, steps_for
from .trials import UNRECORDED


def calibrate_output(ledger: Ledger, origin: Origin, request: Request, keep: Keep = lambda plan: None) -> Found:
    """The best plan for the model's output. The same bench and request give the same plan.

    Raises ConfigError for a target_speedup that leaves too few steps, before anything is sampled, and for a sampler
    that cannot be recorded.
    """
    steps = ledger.bench.timeline.steps
    check_range("steps", steps, MIN_STEPS, MOST_STEPS)
    count = computed_steps(steps, LEAST_SPEEDUP if request.drift else request.speedup, fits=True)
    samples = _affordable(request, count / steps)
    contest = Contest(ledger, [recorded(ledger, n) for n in range(samples)], OUTPUT, origin, keep)
    recordings = [found.recording for found in contest.recorded]

    def planned(count: int, name: str = "planned", samples: int | None = None) -> Candidate:
        return Candidate(name, steps_for(recordings[:samples], count, ledger.bench.signal))

    if request.drift:
        count = fewest(contest, planned, request.drift, least_steps(steps, fits=True), count)
    others = [planned(count), planned(count, "planned from one sample", 1)]
    return search(contest, Candidate("even, order 2", evenly(steps, count)), others[: len({c.steps for c in others})])


def recorded(ledger: Ledger, number: int) -> Recorded:
    """An uncached sample. Raises ConfigError for a sampler that cannot be recorded."""
    bench = ledger.bench

    def work() -> Results:
        recorder = Recorder(bench.timeline, bench.scale)
        final = ledger.sample(number, watch=recorder)
        recording = recorder.recording()
        if recording is None:
            raise ConfigError(UNRECORDED)
        return {"states": recording.states, "outputs": recording.outputs, "final": sampled_elements(final)}

    found = ledger.run(f"recording sample {number + 1}", 1.0, work)
    return Recorded(Recording.of(bench.timeline, bench.scale, found["states"], found["outputs"]), found["final"])


def _affordable(request: Request, share: float) -> int:
    """Samples that leave enough for a fit, two candidates on most samples and a fit to all, where a run with the plan
    costs `share` of an uncached one. For a drift the share is not known yet: half."""
    each = 1 + 3 * (0.5 if request.drift else share)
    return max(1, min(request.samples, int(request.budget / each)))
