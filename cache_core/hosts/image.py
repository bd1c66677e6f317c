"""Model families that make images, and the block lists of each. Names as in the released weights."""

from dataclasses import replace

from .forms import FLUX, attention, mlp
from .spec import Blocks, Host, Joint

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

# Qwen-Image: two streams, whose joint attention is a module that returns both.
QWEN = Blocks(
    "transformer_blocks",
    (attention("attn", outputs=2), mlp("img_mlp", "txt_mlp")),
    carries=("encoder_hidden_states", "hidden_states"),
    text=("txt_mlp",),
    modulated="attn",
)

# Lumina 2 and OmniGen2: one stream of text and image.
LUMINA = Blocks("layers", (attention("attention"), mlp("feed_forward")), carries=("x",), modulated="attention")
OMNIGEN = Blocks("layers", (attention("attn"), mlp("feed_forward")), carries=("hidden_states",))

# PixelDiT: two streams of patches and text. The blocks of pixels behind them, two of sixteen, are computed: each runs
# its MLP in pieces. PiD writes into the stream of patches between its blocks.
PIXELDIT = Blocks(
    "patch_blocks",
    (attention("attn", outputs=2), mlp("mlp_x", "mlp_y")),
    carries=("x", "y"),
    text=("mlp_y",),
)

IMAGE: tuple[Host, ...] = (
    Host(
        "FLUX",
        ("Flux", "Chroma", "ChromaRadiance"),
        "FLUX.1 dev, schnell, Fill, Kontext, Krea; FLUX.2 and Klein; Chroma; LongCat-Image; Ovis-Image",
        FLUX,
    ),
    Host("Lens", ("LensTransformer2DModel",), "Lens", (QWEN,), needs=("pos_embed",), cells=1),
    Host(
        "Qwen-Image",
        ("QwenImageTransformer2DModel", "MageFlowTransformer2DModel"),
        "Qwen-Image, Qwen-Image-Edit, Edit 2509 and 2511; Mage-Flow, which has its blocks",
        (QWEN,),
    ),
    Host(  # one stream; the text's keys and values may be kept from step to step
        "Qwen-Image 2.1",
        ("QwenImage21Transformer2DModel",),
        "Qwen-Image 2.1",
        (Blocks("transformer_blocks", (attention("attn"), mlp("img_mlp")), carries=("x",), prefix="prefix_len"),),
        needs=("modulation", "txt_in.text_norm"),
        newer=True,
    ),
    Host(
        "SD3",
        ("OpenAISignatureMMDITWrapper", "MMDiT"),
        "Stable Diffusion 3, 3.5 medium and large",
        (SD3,),
        easycache=False,
    ),
    Host("Ideogram 4", ("Ideogram4Transformer2DModel",), "Ideogram 4", (LUMINA,), needs=("llm_cond_proj",), cells=1),
    Host("Z-Image in pixels", ("NextDiTPixelSpace",), "Z-Image in pixels", (LUMINA,), needs=("dec_net",)),
    Host("Lumina 2", ("NextDiT",), "Lumina Image 2, Z-Image, NewBie", (LUMINA,)),
    Host(  # one stream; the text has small blocks of its own
        "Krea-2",
        ("SingleStreamDiT",),
        "Krea-2",
        (Blocks("blocks", (attention("attn"), mlp("mlp")), carries=("x",)),),
        needs=("txtfusion",),
    ),
    Host(
        "ERNIE-Image",
        ("ErnieImageModel",),
        "ERNIE-Image",
        (Blocks("layers", (attention("self_attention"), mlp("mlp")), carries=("x",)),),
        easycache=False,
    ),
    Host(
        "JoyImage",
        ("JoyImageTransformer3DModel",),
        "JoyImage, edit too",
        (
            Blocks(
                "double_blocks",
                (attention("attn", outputs=2), mlp("img_mlp", "txt_mlp")),
                carries=("hidden_states", "encoder_hidden_states"),
                text=("txt_mlp",),
            ),
        ),
    ),
    Host(  # two streams, whose joint attention is one tensor; the image attends to itself besides
        "Boogu",
        ("BooguTransformer2DModel",),
        "Boogu",
        (
            Blocks(
                "double_stream_layers",
                (
                    attention("img_instruct_attn"),
                    attention("img_self_attn"),
                    mlp("img_feed_forward", "instruct_feed_forward"),
                ),
                carries=("img_hidden_states", "instruct_hidden_states"),
                text=("instruct_feed_forward",),
            ),
            replace(OMNIGEN, path="single_stream_layers"),
        ),
        easycache=False,
    ),
    Host(
        "PiD",
        ("PidNet",),
        "PiD, which enlarges what PixelDiT makes",
        (replace(PIXELDIT, carries=()),),
        needs=("lq_proj",),
    ),
    Host("PixelDiT", ("PixDiT_T2I",), "PixelDiT", (PIXELDIT,)),
    Host("OmniGen2", ("OmniGen2Transformer2DModel",), "OmniGen2", (OMNIGEN,), easycache=False),
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
        easycache=False,
    ),
)
