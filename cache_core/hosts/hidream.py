"""HiDream: two streams, then one; text from a language model joins before each block, so that no two blocks see the same tokens."""

from ..site import Kind
from .spec import Blocks, Call, Host

HIDREAM = Host(
    name="HiDream",
    classes=("HiDreamImageTransformer2DModel",),
    models="HiDream-I1, HiDream-E1",
    blocks=(
        Blocks("double_stream_blocks", (Call(Kind.ATTENTION, ("block.attn1",), outputs=2), Call(Kind.MLP, ("block.ff_i", "block.ff_t"))),
               text=("block.ff_t",)),
        Blocks("single_stream_blocks", (Call(Kind.ATTENTION, ("block.attn1",)), Call(Kind.MLP, ("block.ff_i",)))),
    ),
)
