"""Forms that blocks of several families share."""

from ..site import Kind
from .spec import Blocks, Call, Fused, Joint


def attention(*names: str, outputs: int = 1) -> Call:
    """Attention submodules of a block, one for each stream."""
    return Call(Kind.ATTENTION, names, outputs)


def mlp(*names: str) -> Call:
    """MLP submodules of a block, one for each stream."""
    return Call(Kind.MLP, names)


# FLUX, and HunyuanVideo, which is built from its blocks.
FLUX = (
    Blocks(
        "double_blocks",
        (Joint(("img_attn", "txt_attn")), mlp("img_mlp", "txt_mlp")),
        carries=("img", "txt"),
        text=("txt_attn", "txt_mlp"),
        modulated="img_attn.qkv",
    ),
    Blocks("single_blocks", (Fused(first="linear1", last="linear2", norm="norm", act="mlp_act"),), carries=("x",)),
)
