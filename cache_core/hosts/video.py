"""Model families that make video, and the block lists of each. Names as in the released weights."""

from dataclasses import replace

from .forms import FLUX, attention, mlp
from .spec import Blocks, Host, Inline

# Wan: blocks that attend to themselves, then to the text; then come the MLP's two layers.
WAN = Blocks(
    "blocks",
    (attention("self_attn"), attention("cross_attn"), mlp("ffn")),
    carries=("x",),
    modulated="self_attn",
)
WAN_ONE_BY_ONE = replace(WAN, carries=())  # something between the blocks looks at what they return

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

SIDES = ("videoT", "audioT")  # of a block of Kandinsky 6

# Cosmos Predict 2; its stream keeps the axes of time, height and width.
COSMOS = Blocks("blocks", (attention("self_attn"), attention("cross_attn"), mlp("mlp")), carries=("x_B_T_H_W_D",))

VIDEO: tuple[Host, ...] = (
    Host(
        "HunyuanVideo",
        ("HunyuanVideo",),
        "HunyuanVideo 1.0 and 1.5, text and image to video; HunyuanImage 2.1",
        FLUX,
        needs=("txt_in.individual_token_refiner",),
    ),
    Host(  # video and sound in one sequence of tokens, without a batch
        "MiniMax H3",
        ("MiniMaxH3Model",),
        "MiniMax H3, video with sound, from text, frames and references",
        (Blocks("blocks", (attention("attn"), mlp("mlp")), carries=("x",)),),
        needs=("token_refiner", "audio_patch_proj"),
        joined=("minimax_refs", "minimax_keyframes"),
    ),
    Host("Wan VACE", ("VaceWanModel",), "Wan VACE", (WAN, Blocks("vace_blocks", WAN.mounts))),
    Host("Wan S2V", ("WanModel_S2V",), "Wan 2.2 sound to video", (WAN_ONE_BY_ONE,), needs=("audio_injector",)),
    Host("Wan Animate", ("AnimateWanModel",), "Wan 2.2 Animate", (WAN_ONE_BY_ONE,), needs=("face_adapter",)),
    Host(
        "SCAIL",
        ("SCAILWanModel", "SCAIL2WanModel"),
        "SCAIL and SCAIL-2",
        (WAN,),
        needs=("patch_embedding_pose",),
        joined=("reference_latents", "pose_video_latent"),
    ),
    Host("WanDancer", ("WanDancerModel",), "WanDancer", (WAN_ONE_BY_ONE,), needs=("music_injector",)),
    Host(
        "Wan",
        ("WanModel", "CameraWanModel", "HumoWanModel"),
        "Wan 2.1 and 2.2, text and image to video, both experts; camera; HuMo",
        (WAN,),
    ),
    Host(
        "LTX-2",
        ("LTXAVModel",),
        "LTX-2, 2.3 and 2.5, video with sound",
        (Blocks("transformer_blocks", LTX_VIDEO + LTX_SOUND, text=LTX_HEARD),),
        needs=("patchify_proj",),
    ),
    Host(
        "LTX-Video",
        ("LTXVModel",),
        "LTX-Video",
        (Blocks("transformer_blocks", LTX_VIDEO, carries=("x",), modulated="attn1"),),
        needs=("patchify_proj",),
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
    Host(  # video and sound side by side, each with the parts of a block of Kandinsky 5
        "Kandinsky 6",
        ("Kandinsky6NativeAVDiT", "Kandinsky6"),
        "Kandinsky 6, video with sound",
        (
            Blocks(
                "visual_blocks",
                (
                    *(attention(f"{side}.{name}") for side in SIDES for name in ("self_attention", "cross_attention")),
                    attention("va_cross_attention"),
                    attention("av_cross_attention"),
                    *(mlp(f"{side}.feed_forward") for side in SIDES),
                ),
                carries=("visual_embed", "audio_embed"),
                text=(
                    "audioT.self_attention",
                    "audioT.cross_attention",
                    "audioT.feed_forward",
                    "av_cross_attention",
                ),
            ),
        ),
        newer=True,
    ),
    Host(  # its blocks have layers, but no modules of attention and MLP
        "CogVideoX",
        ("CogVideoXTransformer3DModel",),
        "CogVideoX 1.0 and 1.5, text and image to video; VOID",
        (
            Blocks(
                "blocks",
                (Inline(("q", "k", "v", "attn_out"), ("ff_proj", "ff_out")),),
                carries=("hidden_states", "encoder_hidden_states"),
            ),
        ),
    ),
    Host("Anima", ("Anima",), "Anima", (COSMOS,), needs=("llm_adapter",)),
    Host("Cosmos Predict 2", ("MiniTrainDIT",), "Cosmos Predict 2, image and video", (COSMOS,)),
    Host(  # two streams of different widths
        "Mochi",
        ("AsymmDiTJoint",),
        "Mochi 1",
        (
            Blocks(
                "blocks",
                (attention("attn", outputs=2), mlp("mlp_x", "mlp_y")),
                carries=("x", "y"),
                text=("mlp_y",),
                modulated="attn.qkv_x",
            ),
        ),
        easycache=False,
    ),
)
