"""Model families that make sound and shapes, and others built unlike most, as data. Names as in the released
weights."""

from ..site import Kind
from .forms import attention, mlp
from .spec import Blocks, Call, Host

SOUND_AND_SHAPE: tuple[Host, ...] = (
    Host(
        "ACE-Step 1.5",
        ("AceStepConditionGenerationModel",),
        "ACE-Step 1.5 and 1.5 XL, base, SFT and turbo: music",
        (
            Blocks(
                "decoder.layers",
                (attention("self_attn"), attention("cross_attn"), mlp("mlp")),
                carries=("hidden_states",),
            ),
        ),
        needs=("encoder.lyric_encoder",),
    ),
    Host(
        "Stable Audio",
        ("AudioDiffusionTransformer",),
        "Stable Audio Open 1.0 and Stable Audio 3",
        (
            Blocks(
                "transformer.layers",
                (attention("self_attn"), attention("cross_attn"), mlp("ff")),
                carries=("x",),
            ),
        ),
        needs=("to_timestep_embed",),
    ),
    Host(  # its linear attention returns the text beside the music, and there is none
        "ACE-Step",
        ("ACEStepTransformer2DModel",),
        "ACE-Step 1.0: music",
        (
            Blocks(
                "transformer_blocks",
                (Call(Kind.ATTENTION, ("attn",), others=1), attention("cross_attn"), mlp("ff")),
                carries=("hidden_states",),
            ),
        ),
        needs=("lyric_encoder",),
    ),
    Host(  # the blocks of its second half also take what those of the first have left; the last have experts
        "Hunyuan3D 2.1",
        ("HunYuanDiTPlain",),
        "Hunyuan3D 2.1",
        (
            Blocks(
                "blocks",
                (attention("attn1"), attention("attn2"), Call(Kind.MLP, ("mlp",), extra=("moe",))),
            ),
        ),
        needs=("x_embedder", "t_embedder.time_embed"),
        swaps=True,
    ),
)
