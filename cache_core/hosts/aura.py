"""AuraFlow: two streams, then one. Mochi: two streams of different widths. Their joint attention is a module that returns both."""

from ..site import Kind
from .spec import Blocks, Call, Host

AURA = Host(
    name="AuraFlow",
    classes=("MMDiT",),
    models="AuraFlow",
    blocks=(
        Blocks("double_layers", (Call(Kind.ATTENTION, ("attn",), outputs=2), Call(Kind.MLP, ("mlpC", "mlpX"))), carries=("c", "x"),
               text=("mlpC",)),
        Blocks("single_layers", (Call(Kind.ATTENTION, ("attn",)), Call(Kind.MLP, ("mlp",))), carries=("cx",)),
    ),
)
MOCHI = Host(
    name="Mochi",
    classes=("AsymmDiTJoint",),
    models="Mochi 1",
    blocks=(Blocks("blocks", (Call(Kind.ATTENTION, ("attn",), outputs=2), Call(Kind.MLP, ("mlp_x", "mlp_y"))), carries=("x", "y"),
                   text=("mlp_y",)),),
)
