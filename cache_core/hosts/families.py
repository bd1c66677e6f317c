"""Model families as data, one table: classes, block lists, and mounts. Names as in the released weights."""

from dataclasses import replace

from .forms import attention, mlp
from .sound_and_shape import SOUND_AND_SHAPE
from .spec import Blocks, Fused, Host, Joint, Refused

# FLUX, and HunyuanVideo, which is built from its blocks.
FLUX = (
    Blocks(
        "double_blocks",
        (Joint(("img_attn", "txt_attn")), mlp("img_mlp", "txt_mlp")),
        carries=("img", "txt"),
        text=("txt_attn", "txt_mlp"),
    ),
    Blocks("single_blocks", (Fused(first="linear1", last="linear2", norm="norm", act="mlp_act"),), carries=("x",)),
)

# Wan: blocks that attend to themselves, then to the text; then come the MLP's two layers.
WAN = Blocks("blocks", (attention("self_attn"), attention("cross_attn"), mlp("ffn")), carries=("x",))
WAN_ONE_BY_ONE = replace(WAN, carries=())  # something between the blocks looks at what they return

# SD3: two streams, whose attention the block runs itself. In 3.5 medium some image streams attend a second time.
SD3 = Blocks(
    "joint_blocks",
    (
        Joint(
            ("context_block.attn", "x_block.attn"),
            norms=("ln_q", "ln_k"),
            unit="head_dim",
            extra=("x_block.attn2",),
        ),
        mlp("context_block.mlp", "x_block.mlp"),
    ),
    carries=(0, 1),
    text=("context_block.attn", "context_block.mlp"),
)

# LTX-Video; LTX-2 carries video and sound side by side and lets each attend to the other.
LTX_VIDEO = (attention("attn1"), attention("attn2"), mlp("ff"))
LTX_SOUND = (
    attention("audio_attn1"),
    attention("audio_attn2"),
    mlp("audio_ff"),
    attention("audio_to_video_attn"),
    attention("video_to_audio_attn"),
)
LTX_HEARD = ("audio_attn1", "audio_attn2", "audio_ff", "video_to_audio_attn")

# The first that matches a model is its host.
HOSTS = (
    Host(
        "HunyuanVideo",
        ("HunyuanVideo",),
        "HunyuanVideo 1.0 and 1.5, text and image to video; HunyuanImage 2.1",
        FLUX,
        needs=("txt_in.individual_token_refiner",),
    ),
    Host("Hunyuan3D 2.0", ("Hunyuan3Dv2",), "Hunyuan3D 2.0, mini and turbo", FLUX, needs=("latent_in",), cells=1),
    Host("FLUX", ("Flux", "Chroma", "ChromaRadiance"), "FLUX.1 dev, schnell, Fill, Kontext; FLUX.2; Chroma", FLUX),
    Host("Wan VACE", ("VaceWanModel",), "Wan VACE", (WAN, Blocks("vace_blocks", WAN.mounts))),
    Host("Wan S2V", ("WanModel_S2V",), "Wan 2.2 sound to video", (WAN_ONE_BY_ONE,), needs=("audio_injector",)),
    Host("Wan Animate", ("AnimateWanModel",), "Wan 2.2 Animate", (WAN_ONE_BY_ONE,), needs=("face_adapter",)),
    Host("WanDancer", ("WanDancerModel",), "WanDancer", (WAN_ONE_BY_ONE,), needs=("music_injector",)),
    Host(
        "Wan",
        ("WanModel", "CameraWanModel", "HumoWanModel"),
        "Wan 2.1 and 2.2, text and image to video, both experts; camera; HuMo",
        (WAN,),
    ),
    Host(  # two streams, whose joint attention is a module that returns both
        "Qwen-Image",
        ("QwenImageTransformer2DModel",),
        "Qwen-Image, Qwen-Image-Edit and Edit 2509",
        (
            Blocks(
                "transformer_blocks",
                (attention("attn", outputs=2), mlp("img_mlp", "txt_mlp")),
                carries=("encoder_hidden_states", "hidden_states"),
                text=("txt_mlp",),
            ),
        ),
    ),
    Host("SD3", ("OpenAISignatureMMDITWrapper", "MMDiT"), "Stable Diffusion 3, 3.5 medium and large", (SD3,)),
    Host(
        "LTX-2",
        ("LTXAVModel",),
        "LTX-2, video with sound",
        (Blocks("transformer_blocks", LTX_VIDEO + LTX_SOUND, text=LTX_HEARD),),
        needs=("patchify_proj",),
    ),
    Host(
        "LTX-Video",
        ("LTXVModel",),
        "LTX-Video",
        (Blocks("transformer_blocks", LTX_VIDEO, carries=("x",)),),
        needs=("patchify_proj",),
    ),
    Host(  # one stream of text and image, as in OmniGen2
        "Lumina 2",
        ("NextDiT",),
        "Lumina Image 2, Z-Image",
        (Blocks("layers", (attention("attention"), mlp("feed_forward")), carries=("x",)),),
    ),
    Host(
        "OmniGen2",
        ("OmniGen2Transformer2DModel",),
        "OmniGen2",
        (Blocks("layers", (attention("attn"), mlp("feed_forward")), carries=("hidden_states",)),),
    ),
    Host(  # text from a language model joins before each block, so that no two blocks see the same tokens
        "HiDream",
        ("HiDreamImageTransformer2DModel",),
        "HiDream-I1, HiDream-E1",
        (
            Blocks(
                "double_stream_blocks",
                (attention("block.attn1", outputs=2), mlp("block.ff_i", "block.ff_t")),
                text=("block.ff_t",),
            ),
            Blocks("single_stream_blocks", (attention("block.attn1"), mlp("block.ff_i"))),
        ),
    ),
    Host(
        "Kandinsky 5",
        ("Kandinsky5",),
        "Kandinsky 5, image and video",
        (
            Blocks(
                "visual_transformer_blocks",
                (attention("self_attention"), attention("cross_attention"), mlp("feed_forward")),
                carries=("visual_embed",),
            ),
        ),
    ),
    Host(
        "Cosmos Predict 2",
        ("MiniTrainDIT",),
        "Cosmos Predict 2, image and video",
        (Blocks("blocks", (attention("self_attn"), attention("cross_attn"), mlp("mlp")), carries=("x_B_T_H_W_D",)),),
    ),
    Host(  # two streams, then one; a module's joint attention returns both
        "AuraFlow",
        ("MMDiT",),
        "AuraFlow",
        (
            Blocks(
                "double_layers",
                (attention("attn", outputs=2), mlp("mlpC", "mlpX")),
                carries=("c", "x"),
                text=("mlpC",),
            ),
            Blocks("single_layers", (attention("attn"), mlp("mlp")), carries=("cx",)),
        ),
    ),
    Host(
        "PixArt",
        ("PixArtMS",),
        "PixArt alpha and sigma",
        (Blocks("blocks", (attention("attn"), attention("cross_attn"), mlp("mlp")), carries=("x",)),),
    ),
    Host(  # two streams of different widths
        "Mochi",
        ("AsymmDiTJoint",),
        "Mochi 1",
        (Blocks("blocks", (attention("attn", outputs=2), mlp("mlp_x", "mlp_y")), carries=("x", "y"), text=("mlp_y",)),),
    ),
    *SOUND_AND_SHAPE,
)

# Looked at before all of these.
REFUSED = (
    Refused(
        "Wan Animate 2",
        ("WanAnimate2Model",),
        "Wan Animate 2",
        ("blocks.0.forward_gen", "blocks.0.forward_pose"),
        "its blocks run two branches by methods of their own",
    ),
)
