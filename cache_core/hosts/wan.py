"""Wan 2.1 and 2.2. Its blocks attend to themselves, then to the text, then come the MLP's two layers."""

from dataclasses import replace

from ..site import Kind
from .spec import Blocks, Call, Host, Refused

MOUNTS = (Call(Kind.ATTENTION, ("self_attn",)), Call(Kind.ATTENTION, ("cross_attn",)), Call(Kind.MLP, ("ffn",)))
BLOCKS = Blocks("blocks", MOUNTS, carries=("x",))
ONE_BY_ONE = replace(BLOCKS, carries=())  # something between the blocks looks at what they return

WAN = Host("Wan", ("WanModel", "CameraWanModel", "HumoWanModel"), "Wan 2.1 and 2.2, text and image to video, both experts; camera; HuMo", (BLOCKS,))
WAN_VACE = Host("Wan VACE", ("VaceWanModel",), "Wan VACE", (BLOCKS, Blocks("vace_blocks", MOUNTS)))
WAN_S2V = Host("Wan S2V", ("WanModel_S2V",), "Wan 2.2 sound to video", (ONE_BY_ONE,), needs=("audio_injector",))
WAN_ANIMATE = Host("Wan Animate", ("AnimateWanModel",), "Wan 2.2 Animate", (ONE_BY_ONE,), needs=("face_adapter",))
WAN_DANCER = Host("WanDancer", ("WanDancerModel",), "WanDancer", (ONE_BY_ONE,), needs=("music_injector",))
WAN_ANIMATE_2 = Refused("Wan Animate 2", ("WanAnimate2Model",), "Wan Animate 2", ("blocks.0.forward_gen", "blocks.0.forward_pose"),
                        "its blocks run two branches by methods of their own")
