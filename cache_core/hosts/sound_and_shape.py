"""Model families that make sound and shapes, and others built unlike most, as data. Names as in the released
weights."""

from ..site import Kind
from .forms import FLUX, attention, mlp
from .spec import Blocks, Call, Host

# made of FLUX's blocks, so looked at before FLUX
HUNYUAN_3D = Host(
    "Hunyuan3D 2.0", ("Hunyuan3Dv2",), "Hunyuan3D 2.0, mini and turbo", FLUX, needs=("latent_in",), cells=1
)

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
        cells=2,
        easycache=False,
    ),
    Host(  # music of more than eight seconds comes in parts that overlap
        "MiniMax Music 3",
        ("MiniMaxMusic3DiT",),
        "MiniMax Music 3",
        (
            Blocks(
                "diffusion_transformer.transformer.layers",
                (attention("self_attn"), mlp("ff")),
                carries=("x",),
                in_parts=True,
            ),
        ),
        needs=("latent_conditioners",),
        cells=1,
        easycache=False,
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
        easycache=False,
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
        cells=1,
        easycache=False,
    ),
    Host(  # its text and picture go through a language model, which keeps the text's keys and values from call to call
        "HiDream-O1",
        ("HiDreamO1Transformer",),
        "HiDream-O1",
        (
            Blocks(
                "language_model.layers",
                (Call(Kind.ATTENTION, ("self_attn",), others=1), mlp("mlp")),
                first_keys="past_key_value",
            ),
        ),
        needs=("final_layer2",),
    ),
    Host(  # each block is three smaller ones; the batch is the last axis but one
        "Cosmos",
        ("GeneralDIT",),
        "Cosmos 1.0, text and image to video",
        (
            Blocks(
                "blocks",
                (attention("blocks.0.block"), attention("blocks.1.block"), mlp("blocks.2.block")),
                carries=("x",),
                batch=3,
            ),
        ),
        needs=("affline_norm",),
    ),
    Host(  # the blocks of its second half also take what those of the first have left
        "Hunyuan-DiT",
        ("HunYuanDiT",),
        "Hunyuan-DiT 1.0 to 1.2",
        (
            Blocks(
                "blocks",
                (*(Call(Kind.ATTENTION, (name,), others=1) for name in ("attn1", "attn2")), mlp("mlp")),
            ),
        ),
        needs=("mlp_t5", "pooler"),
        easycache=False,
    ),
    Host(  # shape and camera go through the blocks together with the picture
        "TripoSplat",
        ("LatentSeqMMFlowModel",),
        "TripoSplat",
        (Blocks("blocks", (attention("attn"), mlp("mlp")), carries=("x",)),),
        needs=("cam_refiner",),
        cells=1,
    ),
)
