"""How a scenario is written down."""

from collections.abc import Callable
from dataclasses import dataclass, field

from scenarios.scene import STEPS, Scene
from torch import Tensor

Node = Callable[[object], object]  # a model (ComfyUI's ModelPatcher) to the model behind the node
Play = Callable[[Scene, Node], list[Tensor]]
Clock = tuple[int, ...]

FEB, AB = "FEB-Cache Apply", "AB-Cache Apply"
NODES = (FEB, AB)
ONE_EACH: Clock = tuple(range(STEPS))
NEVER = {"attention_interval": 1, "mlp_interval": 1, "fragile_interval": 1}


@dataclass(frozen=True)
class Way:
    """Widgets of a node that reuses. `computed`: the steps whose attention (AB-Cache: whose model) is computed.
    `checked`: whether blocks are run a few times more at one computed step, to check their mounts."""

    widgets: dict[str, object]
    computed: frozenset[int]
    checked: bool = False


WAYS = {
    FEB: (
        Way({**NEVER, "edited_steps": "reuse both 2-3,5-7,9-40", "memory": 1.0}, frozenset({0, 1, 4, 8})),
        Way(
            {**NEVER, "edited_steps": "reuse attention 2; reuse both 3,5-6,9-40; reuse mlp 7", "memory": 1.0},
            frozenset({0, 1, 4, 7, 8}),
            checked=True,
        ),
    ),
    AB: (Way({"computed_steps": "0-1,4,8"}, frozenset({0, 1, 4, 8})),),
}
NOTHING_REUSED = {FEB: {**NEVER, "memory": 1.0}, AB: {"interval": 1}}
NO_BLOCKS = (
    "a U-Net has no list of transformer blocks; FEB-Cache Apply refuses it by name (tests/host/test_model_samplings.py)"
)


@dataclass(frozen=True)
class Row:
    """One scenario. `source`: a row of PEERS.md section 2 or a hazard of COMFYUI_HOOKS.md. `play` samples it and
    returns everything it sampled.

    `clocks`: the step of each evaluation, for each run of the cached node; None where the sampler chooses its own
    number. `exact`: whether what is predicted is known beforehand; else something must be, and nothing else is
    asked. `families`: those it is shown on; every other one, and every node, that it is not for has its reason in
    `absent`. `refused`: words of the error that the nodes give in its place. `says`: by node, words that must be in
    the report. `demoted`: whether a demotion may be reported. `ways`: of a node's ways to reuse, how many are shown.
    """

    id: str
    source: str
    does: str
    play: Play | None
    clocks: tuple[Clock, ...] | None = (ONE_EACH,)
    exact: bool = True
    dtype: str = "float32"
    absent: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    says: dict[str, str] = field(default_factory=dict)
    demoted: bool = False
    reuses: bool = True
    ways: int = 2

    def reason(self, family: str, node: str) -> str:
        """Why there is no such cell; empty if there is one."""
        if family == "U-Net" and node == FEB:
            return NO_BLOCKS
        return next((self.absent[key] for key in (f"{family}, {node}", family, node, "*") if key in self.absent), "")
