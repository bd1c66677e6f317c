"""Model families as data, recognised by the names they use, never asked for."""

from torch import nn

from ..errors import HostError
from .aura import AURA, MOCHI
from .cross import COSMOS_PREDICT2, KANDINSKY5, PIXART
from .flux import FLUX, HUNYUAN_VIDEO
from .hidream import HIDREAM
from .ltx import LTX2, LTXV
from .lumina import LUMINA, OMNIGEN2
from .qwen_image import QWEN_IMAGE
from .sd3 import SD3
from .spec import Blocks, Call, Fused, Host, Joint, Refused, Sites
from .wan import WAN, WAN_ANIMATE, WAN_ANIMATE_2, WAN_DANCER, WAN_S2V, WAN_VACE

HOSTS = (HUNYUAN_VIDEO, FLUX, WAN_VACE, WAN_S2V, WAN_ANIMATE, WAN_DANCER, WAN, QWEN_IMAGE, SD3, LTX2, LTXV, LUMINA, OMNIGEN2, HIDREAM,
         KANDINSKY5, COSMOS_PREDICT2, AURA, PIXART, MOCHI)  # the first that fits
REFUSED = (WAN_ANIMATE_2,)  # before all of these


def submodule(root: nn.Module, path: str) -> nn.Module | None:
    """The submodule at a dotted path, looking through compiled modules; None if there is none."""
    for name in path.split("."):
        root = getattr(getattr(root, "_orig_mod", root), name, None)
        if root is None:
            return None
    return root


def blocks_of(model: nn.Module, blocks: Blocks) -> list[nn.Module]:
    """The blocks themselves, compiled ones unwrapped."""
    return [getattr(b, "_orig_mod", b) for b in submodule(model, blocks.path) or ()]


def fits(host: Host, model: nn.Module) -> bool:
    """Whether every block list of `host` is there, and each first block has the submodules that the mounts need."""
    firsts = [blocks_of(model, blocks)[:1] for blocks in host.blocks]
    if not any(firsts) or any(submodule(model, path) is None for path in (*host.needs, *(b.path for b in host.blocks))):
        return False
    return all(submodule(block, need) is not None for blocks, first in zip(host.blocks, firsts, strict=True)
               for block in first for mount in blocks.mounts for need in mount.needs)


def match(model: nn.Module) -> Host:
    """The host of a diffusion model. Raises HostError, naming the class and what works instead, if there is none."""
    for refused in REFUSED:
        if all(submodule(model, need) is not None for need in refused.needs):
            raise HostError(f"{type(model).__name__} ({refused.name}) cannot be cached by FEB-Cache: {refused.why}. AB-Cache works on any "
                            "diffusion model: use AB-Cache Apply instead.")
    for host in HOSTS:
        if fits(host, model):
            return host
    known = ", ".join(dict.fromkeys(host.name for host in HOSTS))
    raise HostError(f"{type(model).__name__} has no attention and MLP that FEB-Cache knows how to separate (known: {known}). "
                    "AB-Cache works on any diffusion model: use AB-Cache Apply instead.")


__all__ = ["HOSTS", "REFUSED", "WAN", "Blocks", "Call", "Fused", "Host", "Joint", "Refused", "Sites", "blocks_of", "fits", "match", "submodule"]
