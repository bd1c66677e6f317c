"""The one decision taken while a run samples: whether an adaptive plan computes."""

from ..plan import Plan
from ..predictor import Extrapolation
from ..site import Kind
from ..store import Store
from ..store.history import disagreement


class EmbeddedPair:
    """The sum and count that schedule.Adaptive decides by, since the model was last computed. `node`: the sigma of
    that evaluation."""

    def __init__(self) -> None:
        self.node = float("nan")
        self.computed()

    def computed(self) -> None:
        """Start anew: the coming evaluation computes the model."""
        self._disagreement, self._in_a_row = 0.0, 0

    def must_compute(self, plan: Plan, store: Store, sigma: float) -> bool:
        """True if the model is computed at `sigma` after all; False for a plan that is known beforehand.

        A predictor without orders is judged by the extrapolations of order 2 and 1.
        """
        if plan.adaptive is None:
            return False
        predictor = plan.predictor if isinstance(plan.predictor, Extrapolation) else Extrapolation(2)
        high, low = predictor.pair()
        # the streams of the last computed evaluation; of several modalities the one that is furthest off counts
        sites = [[h for h in histories if h.nodes[0] == self.node] for histories in store.by_site(Kind.MODEL)]
        self._disagreement += max([disagreement(newest, high, low, sigma) for newest in sites], default=float("inf"))
        self._in_a_row += 1
        return plan.adaptive.computes(self._disagreement, self._in_a_row - 1)
