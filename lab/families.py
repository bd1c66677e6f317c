"""The lab's models: what each is made of and what it draws."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from .flux import Flux
from .hunyuan_video import HunyuanVideo
from .minimax_h3 import MiniMaxH3
from .packed import LATENTS, SHIFT


@dataclass(frozen=True)
class Family:
    """A model of the lab. `frames` 1 means pictures; `shift` moves training and sampling towards noise, as sizes do
    (Esser et al. 2024). `trained_shift`: that of training, where it is another one."""

    name: str
    title: str
    network: Callable[[], nn.Module]
    frames: int = 1
    shift: float = 1.0
    trained_shift: float = 0.0
    guidance: float = 3.0  # true classifier-free guidance: two conditionings, as most models of its kind are used
    drawn: bool = False  # trained on drawings (lab.drawings), not on scenes

    @property
    def weights(self) -> Path:
        return Path(__file__).parent / "weights" / f"{self.name}{'' if self.drawn else '_scenes'}.safetensors"

    @property
    def latents(self) -> tuple[int, ...]:
        """Shape of one sample: `(16, 16, 16)`, or `(16, frames, 16, 16)`, or of video and audio packed in one row."""
        if self.network is MiniMaxH3:
            return LATENTS
        return (16, 16, 16) if self.frames == 1 else (16, self.frames, 16, 16)


FLUX = Family("flux", "lab FLUX (3.4 M parameters, 3 + 6 blocks)", Flux)
HUNYUAN_VIDEO = Family(
    "hunyuan_video", "lab HunyuanVideo (4.0 M parameters, 3 + 6 blocks, 5 frames)", HunyuanVideo, frames=5, shift=3.0
)
FAMILIES = {family.name: family for family in (FLUX, HUNYUAN_VIDEO)}
# beside those: what is measured on it looks at video and sound apart (lab.sound)
MINIMAX_H3 = Family(
    "minimax_h3",
    "lab MiniMax H3 (2.3 M parameters, 6 blocks, 3 frames with sound)",
    MiniMaxH3,
    frames=3,
    shift=SHIFT,
    trained_shift=4.0,  # at the released one, half of the times say next to nothing of clips as small as these
)
# beside those, too: pictures to look at; the tables' numbers stay those of the scenes
DRAWINGS = Family(
    "flux_drawings",
    "lab FLUX of drawings (3.4 M parameters, 3 + 6 blocks)",
    Flux,
    guidance=1.5,  # above, a plan of one picture at 3x drifts further than the nodes allow
    drawn=True,
)
SHOWN = {DRAWINGS.name: DRAWINGS, **FAMILIES}
TRAINED = {**SHOWN, MINIMAX_H3.name: MINIMAX_H3}
