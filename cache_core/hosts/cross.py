"""Models whose blocks attend to themselves, then to the text: Kandinsky 5, Cosmos Predict 2, PixArt."""

from ..site import Kind
from .spec import Blocks, Call, Host

KANDINSKY5 = Host(
    name="Kandinsky 5",
    classes=("Kandinsky5",),
    models="Kandinsky 5, image and video",
    blocks=(Blocks("visual_transformer_blocks", (Call(Kind.ATTENTION, ("self_attention",)), Call(Kind.ATTENTION, ("cross_attention",)),
                                                 Call(Kind.MLP, ("feed_forward",))), carries=("visual_embed",)),),
)
COSMOS_PREDICT2 = Host(
    name="Cosmos Predict 2",
    classes=("MiniTrainDIT",),
    models="Cosmos Predict 2, image and video",
    blocks=(Blocks("blocks", (Call(Kind.ATTENTION, ("self_attn",)), Call(Kind.ATTENTION, ("cross_attn",)), Call(Kind.MLP, ("mlp",))),
                   carries=("x_B_T_H_W_D",)),),
)
PIXART = Host(
    name="PixArt",
    classes=("PixArtMS",),
    models="PixArt alpha and sigma",
    blocks=(Blocks("blocks", (Call(Kind.ATTENTION, ("attn",)), Call(Kind.ATTENTION, ("cross_attn",)), Call(Kind.MLP, ("mlp",))), carries=("x",)),),
)
