"""Model families that make images, and the block lists of each. Names as in the released weights."""

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

IMAGE: tuple[Host, ...] = (
    Host("FLUX", ("Flux", "Chroma", "ChromaRadiance"), "FLUX.1 dev, schnell, Fill, Kontext; FLUX.2; Chroma", FLUX),
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
)
