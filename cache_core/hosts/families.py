"""Model families as data, one table: classes, block lists, and mounts. Names as in the released weights."""

from dataclasses import replace

from ..site import Kind
from .spec import Blocks, Call, Fused, Host, Joint, Refused

# FLUX, and HunyuanVideo, which is built from its blocks.
FLUX_DOUBLE = Blocks(
    "double_blocks",
    (Joint(("img_attn", "txt_attn")), Call(Kind.MLP, ("img_mlp", "txt_mlp"))),
    carries=("img", "txt"),
    text=("txt_attn", "txt_mlp"),
)
FLUX_SINGLE = Blocks(
    "single_blocks", (Fused(first="linear1", last="linear2", norm="norm", act="mlp_act"),), carries=("x",)
)

HUNYUAN_VIDEO = Host(
    "HunyuanVideo",
    ("HunyuanVideo",),
    "HunyuanVideo 1.0 and 1.5, text and image to video; HunyuanImage 2.1",
    (FLUX_DOUBLE, FLUX_SINGLE),
    needs=("txt_in.individual_token_refiner",),
)
FLUX = Host(
    "FLUX",
    ("Flux", "Chroma", "ChromaRadiance"),
    "FLUX.1 dev, schnell, Fill, Kontext; FLUX.2; Chroma",
    (FLUX_DOUBLE, FLUX_SINGLE),
)

# Wan 2.1 and 2.2. Its blocks attend to themselves, then to the text, then come the MLP's two layers.
WAN_MOUNTS = (Call(Kind.ATTENTION, ("self_attn",)), Call(Kind.ATTENTION, ("cross_attn",)), Call(Kind.MLP, ("ffn",)))
WAN_BLOCKS = Blocks("blocks", WAN_MOUNTS, carries=("x",))
WAN_ONE_BY_ONE = replace(WAN_BLOCKS, carries=())  # something between the blocks looks at what they return

WAN = Host(
    "Wan",
    ("WanModel", "CameraWanModel", "HumoWanModel"),
    "Wan 2.1 and 2.2, text and image to video, both experts; camera; HuMo",
    (WAN_BLOCKS,),
)
WAN_VACE = Host("Wan VACE", ("VaceWanModel",), "Wan VACE", (WAN_BLOCKS, Blocks("vace_blocks", WAN_MOUNTS)))
WAN_S2V = Host("Wan S2V", ("WanModel_S2V",), "Wan 2.2 sound to video", (WAN_ONE_BY_ONE,), needs=("audio_injector",))
WAN_ANIMATE = Host("Wan Animate", ("AnimateWanModel",), "Wan 2.2 Animate", (WAN_ONE_BY_ONE,), needs=("face_adapter",))
WAN_DANCER = Host("WanDancer", ("WanDancerModel",), "WanDancer", (WAN_ONE_BY_ONE,), needs=("music_injector",))
WAN_ANIMATE_2 = Refused(
    "Wan Animate 2",
    ("WanAnimate2Model",),
    "Wan Animate 2",
    ("blocks.0.forward_gen", "blocks.0.forward_pose"),
    "its blocks run two branches by methods of their own",
)

# Qwen-Image: two streams, whose joint attention is a module that returns both.
QWEN_IMAGE = Host(
    name="Qwen-Image",
    classes=("QwenImageTransformer2DModel",),
    models="Qwen-Image, Qwen-Image-Edit and Edit 2509",
    blocks=(
        Blocks(
            "transformer_blocks",
            (Call(Kind.ATTENTION, ("attn",), outputs=2), Call(Kind.MLP, ("img_mlp", "txt_mlp"))),
            carries=("encoder_hidden_states", "hidden_states"),
            text=("txt_mlp",),
        ),
    ),
)

# Stable Diffusion 3: two streams, whose attention the block runs itself. In 3.5 medium some image streams attend a
# second time.
SD3 = Host(
    name="SD3",
    classes=("OpenAISignatureMMDITWrapper", "MMDiT"),
    models="Stable Diffusion 3, 3.5 medium and large",
    blocks=(
        Blocks(
            "joint_blocks",
            (
                Joint(
                    ("context_block.attn", "x_block.attn"),
                    norms=("ln_q", "ln_k"),
                    unit="head_dim",
                    extra=("x_block.attn2",),
                ),
                Call(Kind.MLP, ("context_block.mlp", "x_block.mlp")),
            ),
            carries=(0, 1),
            text=("context_block.attn", "context_block.mlp"),
        ),
    ),
)

# LTX-Video, and LTX-2, whose blocks carry video and sound side by side and let each attend to the other.
LTX_VIDEO = (Call(Kind.ATTENTION, ("attn1",)), Call(Kind.ATTENTION, ("attn2",)), Call(Kind.MLP, ("ff",)))
LTX_SOUND = tuple(
    Call(kind, (name,))
    for kind, name in (
        (Kind.ATTENTION, "audio_attn1"),
        (Kind.ATTENTION, "audio_attn2"),
        (Kind.MLP, "audio_ff"),
        (Kind.ATTENTION, "audio_to_video_attn"),
        (Kind.ATTENTION, "video_to_audio_attn"),
    )
)
LTX_HEARD = ("audio_attn1", "audio_attn2", "audio_ff", "video_to_audio_attn")

LTXV = Host(
    "LTX-Video",
    ("LTXVModel",),
    "LTX-Video",
    (Blocks("transformer_blocks", LTX_VIDEO, carries=("x",)),),
    needs=("patchify_proj",),
)
LTX2 = Host(
    "LTX-2",
    ("LTXAVModel",),
    "LTX-2, video with sound",
    (Blocks("transformer_blocks", LTX_VIDEO + LTX_SOUND, text=LTX_HEARD),),
    needs=("patchify_proj",),
)

# Lumina Image 2 and Z-Image: one stream of text and image, and OmniGen2, which is built alike.
LUMINA = Host(
    name="Lumina 2",
    classes=("NextDiT",),
    models="Lumina Image 2, Z-Image",
    blocks=(
        Blocks("layers", (Call(Kind.ATTENTION, ("attention",)), Call(Kind.MLP, ("feed_forward",))), carries=("x",)),
    ),
)
OMNIGEN2 = Host(
    name="OmniGen2",
    classes=("OmniGen2Transformer2DModel",),
    models="OmniGen2",
    blocks=(
        Blocks(
            "layers", (Call(Kind.ATTENTION, ("attn",)), Call(Kind.MLP, ("feed_forward",))), carries=("hidden_states",)
        ),
    ),
)

# HiDream: two streams, then one; text from a language model joins before each block, so that no two blocks see the same
# tokens.
HIDREAM = Host(
    name="HiDream",
    classes=("HiDreamImageTransformer2DModel",),
    models="HiDream-I1, HiDream-E1",
    blocks=(
        Blocks(
            "double_stream_blocks",
            (Call(Kind.ATTENTION, ("block.attn1",), outputs=2), Call(Kind.MLP, ("block.ff_i", "block.ff_t"))),
            text=("block.ff_t",),
        ),
        Blocks("single_stream_blocks", (Call(Kind.ATTENTION, ("block.attn1",)), Call(Kind.MLP, ("block.ff_i",)))),
    ),
)

# Models whose blocks attend to themselves, then to the text: Kandinsky 5, Cosmos Predict 2, PixArt.
KANDINSKY5 = Host(
    name="Kandinsky 5",
    classes=("Kandinsky5",),
    models="Kandinsky 5, image and video",
    blocks=(
        Blocks(
            "visual_transformer_blocks",
            (
                Call(Kind.ATTENTION, ("self_attention",)),
                Call(Kind.ATTENTION, ("cross_attention",)),
                Call(Kind.MLP, ("feed_forward",)),
            ),
            carries=("visual_embed",),
        ),
    ),
)
COSMOS_PREDICT2 = Host(
    name="Cosmos Predict 2",
    classes=("MiniTrainDIT",),
    models="Cosmos Predict 2, image and video",
    blocks=(
        Blocks(
            "blocks",
            (Call(Kind.ATTENTION, ("self_attn",)), Call(Kind.ATTENTION, ("cross_attn",)), Call(Kind.MLP, ("mlp",))),
            carries=("x_B_T_H_W_D",),
        ),
    ),
)
PIXART = Host(
    name="PixArt",
    classes=("PixArtMS",),
    models="PixArt alpha and sigma",
    blocks=(
        Blocks(
            "blocks",
            (Call(Kind.ATTENTION, ("attn",)), Call(Kind.ATTENTION, ("cross_attn",)), Call(Kind.MLP, ("mlp",))),
            carries=("x",),
        ),
    ),
)

# AuraFlow: two streams, then one. Mochi: two streams of different widths. Their joint attention is a module that
# returns both.
AURA = Host(
    name="AuraFlow",
    classes=("MMDiT",),
    models="AuraFlow",
    blocks=(
        Blocks(
            "double_layers",
            (Call(Kind.ATTENTION, ("attn",), outputs=2), Call(Kind.MLP, ("mlpC", "mlpX"))),
            carries=("c", "x"),
            text=("mlpC",),
        ),
        Blocks("single_layers", (Call(Kind.ATTENTION, ("attn",)), Call(Kind.MLP, ("mlp",))), carries=("cx",)),
    ),
)
MOCHI = Host(
    name="Mochi",
    classes=("AsymmDiTJoint",),
    models="Mochi 1",
    blocks=(
        Blocks(
            "blocks",
            (Call(Kind.ATTENTION, ("attn",), outputs=2), Call(Kind.MLP, ("mlp_x", "mlp_y"))),
            carries=("x", "y"),
            text=("mlp_y",),
        ),
    ),
)

# The first that matches a model is its host.
HOSTS = (
    HUNYUAN_VIDEO,
    FLUX,
    WAN_VACE,
    WAN_S2V,
    WAN_ANIMATE,
    WAN_DANCER,
    WAN,
    QWEN_IMAGE,
    SD3,
    LTX2,
    LTXV,
    LUMINA,
    OMNIGEN2,
    HIDREAM,
    KANDINSKY5,
    COSMOS_PREDICT2,
    AURA,
    PIXART,
    MOCHI,
)
REFUSED = (WAN_ANIMATE_2,)  # looked at before all of these
