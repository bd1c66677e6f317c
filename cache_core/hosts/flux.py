"""FLUX, and HunyuanVideo, which is built from its blocks. Names as in the released weights."""

from ..site import Kind
from .spec import Blocks, Call, Fused, Host, Joint

DOUBLE = Blocks("double_blocks", (Joint(("img_attn", "txt_attn")), Call(Kind.MLP, ("img_mlp", "txt_mlp"))), carries=("img", "txt"),
                text=("txt_attn", "txt_mlp"))
SINGLE = Blocks("single_blocks", (Fused(first="linear1", last="linear2", norm="norm", act="mlp_act"),), carries=("x",))

HUNYUAN_VIDEO = Host("HunyuanVideo", ("HunyuanVideo",), "HunyuanVideo 1.0 and 1.5, text and image to video; HunyuanImage 2.1", (DOUBLE, SINGLE),
                     needs=("txt_in.individual_token_refiner",))
FLUX = Host("FLUX", ("Flux", "Chroma", "ChromaRadiance"), "FLUX.1 dev, schnell, Fill, Kontext; FLUX.2; Chroma", (DOUBLE, SINGLE))
