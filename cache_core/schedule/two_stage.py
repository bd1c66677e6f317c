"""FEB-Cache's rule: the stage of the noise says which of attention and MLP is reused."""

from dataclasses import dataclass, field

from ..errors import check_range
from ..site import MODULES, Kind
from ..timeline import Timeline
from .interval import Frame, sparsest
from .table import Table


@dataclass(frozen=True)
class TwoStage:
    """Each stage computes its fragile kind and reuses the other; longer intervals compute less.

    High noise (model time above `boundary`): low frequencies are fragile and attention carries them, so the MLP is
    reused, computed every `mlp_interval` steps. Low noise: high frequencies are fragile and the MLP carries them, so
    attention is reused, computed every `attention_interval` steps. The fragile kind is computed every
    `fragile_interval` steps; above 1 it is reused as well, and all four states can occur. In a stage a shorter
    interval takes the place of one that would compute more (`sparsest`). FEB-Cache, arXiv 2503.07120: the stages and
    states of Algorithm 1, whose steps are found by measuring.
    """

    attention_interval: int = 3
    mlp_interval: int = 3
    fragile_interval: int = 1
    boundary: float = 0.4
    frame: Frame = Frame()
    kinds: frozenset[Kind] = field(default=MODULES, init=False)

    def __post_init__(self) -> None:
        check_range("attention_interval", self.attention_interval, 1, 10)
        check_range("mlp_interval", self.mlp_interval, 1, 10)
        check_range("fragile_interval", self.fragile_interval, 1, 6)
        check_range("stage_boundary", self.boundary, 0.0, 1.0)

    def intervals(self, high: bool) -> dict[Kind, int]:
        """Steps from one computed step to the next, by kind, at high noise or at low."""
        if high:
            return {Kind.ATTENTION: self.fragile_interval, Kind.MLP: self.mlp_interval}
        return {Kind.ATTENTION: self.attention_interval, Kind.MLP: self.fragile_interval}

    def table(self, timeline: Timeline) -> Table:
        free, rows = self.frame.free(timeline), [self.kinds] * timeline.steps
        for high in (True, False):
            stage = [step for step in free if (timeline.times[step] > self.boundary) == high]
            own = {kind: sparsest(stage, interval) for kind, interval in self.intervals(high).items()}
            for step in stage:
                rows[step] = frozenset(kind for kind, interval in own.items() if step % interval == 0)
        return Table(self.kinds, tuple(rows))
