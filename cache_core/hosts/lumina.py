"""Lumina Image 2 and Z-Image: one stream of text and image, and OmniGen2, which is built alike."""

from ..site import Kind
from .spec import Blocks, Call, Host

LUMINA = Host(
    name="Lumina 2",
    classes=("NextDiT",),
    models="Lumina Image 2, Z-Image",
    blocks=(Blocks("layers", (Call(Kind.ATTENTION, ("attention",)), Call(Kind.MLP, ("feed_forward",))), carries=("x",)),),
)
OMNIGEN2 = Host(
    name="OmniGen2",
    classes=("OmniGen2Transformer2DModel",),
    models="OmniGen2",
    blocks=(Blocks("layers", (Call(Kind.ATTENTION, ("attn",)), Call(Kind.MLP, ("feed_forward",))), carries=("hidden_states",)),),
)
