"""Qwen-Image: two streams, whose joint attention is a module that returns both."""

from ..site import Kind
from .spec import Blocks, Call, Host

QWEN_IMAGE = Host(
    name="Qwen-Image",
    classes=("QwenImageTransformer2DModel",),
    models="Qwen-Image, Qwen-Image-Edit and Edit 2509",
    blocks=(
        Blocks("transformer_blocks", (Call(Kind.ATTENTION, ("attn",), outputs=2), Call(Kind.MLP, ("img_mlp", "txt_mlp"))),
               carries=("encoder_hidden_states", "hidden_states"), text=("txt_mlp",)),
    ),
)
