"""LTX-Video, and LTX-2, whose blocks carry video and sound side by side and let each attend to the other."""

from ..site import Kind
from .spec import Blocks, Call, Host

VIDEO = (Call(Kind.ATTENTION, ("attn1",)), Call(Kind.ATTENTION, ("attn2",)), Call(Kind.MLP, ("ff",)))
SOUND = tuple(Call(kind, (name,)) for kind, name in ((Kind.ATTENTION, "audio_attn1"), (Kind.ATTENTION, "audio_attn2"), (Kind.MLP, "audio_ff"),
                                                     (Kind.ATTENTION, "audio_to_video_attn"), (Kind.ATTENTION, "video_to_audio_attn")))
HEARD = ("audio_attn1", "audio_attn2", "audio_ff", "video_to_audio_attn")

LTXV = Host("LTX-Video", ("LTXVModel",), "LTX-Video", (Blocks("transformer_blocks", VIDEO, carries=("x",)),), needs=("patchify_proj",))
LTX2 = Host("LTX-2", ("LTXAVModel",), "LTX-2, video with sound", (Blocks("transformer_blocks", VIDEO + SOUND, text=HEARD),), needs=("patchify_proj",))
