"""The one decision taken while a run samples: whether a schedule that decides for itself computes an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..plan import Plan
from ..predictor import Blended, Predictor
from ..schedule import Adaptive, Added, Filtered, Probe
from ..store import Store, afforded
from .evaluation import Evaluation
from .readings import UNKNOWN, Disagreeing, Patch, Probing, Reader, on_grid, reader_of


class Verdict:
    """Readings since the last computed evaluation, for the plan that decides during the run, if there is one. It shares
    the run with no other plan."""

    def __init__(self, plans: Sequence[Plan], store: Store):
        self._total, self._in_a_row, self._last = 0.0, 0, 0
        self._cells: tuple[int, ...] = ()  # of the latent, along each axis
        self._reader: Reader | None = None
        self._outputs: Disagreeing | None = None
        plan = next((plan for plan in plans if plan.online), None)
        self.schedule = plan.online if plan else None
        if plan and isinstance(self.schedule, Adaptive):
            self._outputs = Disagreeing(plan, store)
        elif self.schedule:
            self._reader = reader_of(self.schedule.indicator)

    @property
    def inside(self) -> bool:
        """True if the model's first blocks are read."""
        return self.schedule is not None and self.schedule.indicator.inside

    @property
    def behind(self) -> bool:
        """True if they are read once they have run, and not before."""
        return self.schedule is not None and isinstance(self.schedule.indicator, Added | Probe)

    def begin(self, evaluation: Evaluation, state: Tensor | None, time: float) -> None:
        """Decide about an evaluation of `state` `(B, C, ...)` at model time `time`, or leave it open for the first
        block's input to decide."""
        self._cells = () if state is None else tuple(state.shape[2:])
        if self.inside:
            evaluation.open = True
        elif self.schedule:
            self.judge(evaluation, state, time)

    def judge(self, evaluation: Evaluation, value: Tensor | None, time: float, patch: Patch = 1) -> None:
        """Predict nothing at an evaluation that the schedule computes. `value`: the state, or the first block's input;
        None where there is nothing to read. It also computes without memory to read."""
        forced, evaluation.open = not evaluation.predicted, False
        if self.schedule is None:
            return
        if isinstance(self.schedule.indicator, Filtered):
            value = None if value is None else on_grid(value, self._cells, patch)
        reading = afforded(lambda: self._read(value, evaluation.sigma, time, forced), UNKNOWN)
        self._total = self.schedule.after(self._total, reading, evaluation.step, self._last)
        if forced or self.schedule.computes(self._total, self._in_a_row):
            evaluation.predicted = frozenset()
            self._computed(evaluation.step)
        else:
            self._in_a_row += 1

    @property
    def adds(self) -> bool:
        """True if what the first blocks add is read, and not what they return."""
        return self.schedule is not None and isinstance(self.schedule.indicator, Added)

    def weights(self, predictor: Predictor, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Weights of the outputs computed at `nodes`, newest first, for a prediction at `at`."""
        gain = self._reader.gain if isinstance(self._reader, Probing) else None
        if isinstance(predictor, Blended) and gain is not None and len(nodes) > 1:
            return predictor.blended(gain)
        return predictor.weights(nodes, at)

    def remembered(self, sigma: float) -> None:
        """Note that the model's output at `sigma` has been computed."""
        if self._outputs:
            self._outputs.node = sigma

    def _computed(self, step: int) -> None:
        """Start anew: the evaluation at `step` computes."""
        self._total, self._in_a_row, self._last = 0.0, 0, step
        if self._reader:
            self._reader.computed()

    def _read(self, value: Tensor | None, sigma: float, time: float, forced: bool) -> float:
        if self._outputs:
            return UNKNOWN if forced else self._outputs.read(sigma)
        return UNKNOWN if value is None or self._reader is None else self._reader.read(value, sigma, time, forced)

    def close(self) -> None:
        """Hold no tensor any more."""
        self._reader = None
