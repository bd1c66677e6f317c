"""Stable Diffusion 3: two streams, whose attention the block runs itself. In 3.5 medium some image streams attend a second time."""

from ..site import Kind
from .spec import Blocks, Call, Host, Joint

SD3 = Host(
    name="SD3",
    classes=("OpenAISignatureMMDITWrapper", "MMDiT"),
    models="Stable Diffusion 3, 3.5 medium and large",
    blocks=(
        Blocks("joint_blocks", (Joint(("context_block.attn", "x_block.attn"), norms=("ln_q", "ln_k"), unit="head_dim", extra=("x_block.attn2",)),
                                Call(Kind.MLP, ("context_block.mlp", "x_block.mlp"))), carries=(0, 1),
               text=("context_block.attn", "context_block.mlp")),
    ),
)
