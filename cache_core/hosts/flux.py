"""FLUX and what is built from its blocks. Names as in the released weights."""

from ..site import Kind
from .spec import Blocks, Call, Fused, Host, Joint

FLUX = Host(
    name="FLUX",
    classes=("Flux", "Chroma", "ChromaRadiance"),
    blocks=(
        Blocks("double_blocks", (Joint(("img_attn", "txt_attn")), Call(Kind.MLP, ("img_mlp", "txt_mlp")))),
        Blocks("single_blocks", (Fused(first="linear1", last="linear2", norm="norm", act="mlp_act"),)),
    ),
)
