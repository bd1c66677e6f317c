"""The one decision that is taken while a run samples: whether an adaptive plan computes."""

from ..plan import Plan
from ..site import Kind
from ..store import Store
from ..store.history import disagreement


class EmbeddedPair:
    """What the rule of schedule.Adaptive knows since the model was last computed. `node`: where that was."""

    def __init__(self) -> None:
        self.node = float("nan")
        self.computed()

    def computed(self) -> None:
        """The coming evaluation computes the model: what was summed is done with."""
        self._disagreement, self._in_a_row = 0.0, 0

    def must_compute(self, plan: Plan, store: Store, sigma: float) -> bool:
        """Whether to compute at `sigma` after all; False for a plan that is known beforehand."""
        if plan.adaptive is None:
            return False
        high, low = plan.predictor.pair()
        newest = [
            history for history in store.of(Kind.MODEL) if history.nodes[0] == self.node
        ]  # the streams of the last computed evaluation
        self._disagreement += disagreement(newest, high, low, sigma)
        self._in_a_row += 1
        return plan.adaptive.computes(self._disagreement, self._in_a_row - 1)
