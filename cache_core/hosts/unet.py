"""U-Nets: their deep part is merged; no attention in it can be predicted apart from the rest."""

from torch import nn

from .spec import Host, UNet

UNET = Host(
    name="U-Net",
    classes=("UNetModel",),
    models="Stable Diffusion 1.5, 2.1, SDXL",
    blocks=(),
    needs=("time_embed", "out"),
    cells=1,
    unet=UNet("input_blocks", "middle_block", "output_blocks"),
)


def is_unet(model: nn.Module) -> bool:
    """True for two lists of the same length, of sequences of layers, with what else a U-Net needs."""
    down, up = (getattr(model, name, None) for name in ("input_blocks", "output_blocks"))
    if not isinstance(down, nn.ModuleList) or not isinstance(up, nn.ModuleList):
        return False
    named = all(hasattr(model, name) for name in UNET.needs)
    return named and len(down) == len(up) > 1 and all(isinstance(b, nn.Sequential) and len(b) for b in (*down, *up))
