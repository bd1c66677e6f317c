"""SeaCache (two open ports of it, vllm-omni and sglang): TeaCache's sum without a polynomial, of a filtered input."""

from ..schedule import Filtered, Online
from .entries import interpolated, shares_of
from .method import Method, Sampling, Threshold
from .published import published

VIDEO = ("HunyuanVideo", "WanModel", "VaceWanModel", "LTXVModel", "AsymmDiTJoint")
BETA_IMAGE, BETA_VIDEO = 2.0, 3.0  # powers of the spectrum that the filter supposes
JOINT = ("NextDiT", "NextDiTPixelSpace", "Ideogram4Transformer2DModel")  # text and picture in one stream: no grid


def schedule(sampling: Sampling, threshold: float) -> Online:
    """The rule: it reads the first block, filtered over the latent's grid at the noise level of each step. As released,
    the input of forced steps is left unfiltered, so the first free step compares one with the other."""
    beta = BETA_VIDEO if sampling.variant.name in VIDEO else BETA_IMAGE
    return Online(sampling.kinds, Filtered(beta, forced_too=False), threshold)


def share(sampling: Sampling, threshold: float) -> float:
    """Share of the evaluations saved: an estimate, by the speed-ups published for FLUX at 50 steps."""
    return interpolated(shares_of(published()["seacache_speeds"]), threshold)


def refusal(sampling: Sampling) -> str:
    """The reason why a model shows no input on a grid."""
    name = sampling.variant.name or "this model"
    if not (sampling.inside and sampling.variant.looks):
        return f"the input of the first block of {name} cannot be read, or its blocks cannot be merged. Take EasyCache."
    if sampling.variant.name in JOINT:
        return f"the first block of {name} holds text and picture in one: there is no grid to filter. Take TeaCache."
    return ""


SEACACHE = Method(
    "SeaCache",
    "github.com/jiwoogit/SeaCache",
    "Reuses while the first block's input, filtered by noise level, changes little.",
    Threshold("delta", 0.001, 10.0, 0.3),
    schedule,
    refusal=refusal,
    aliases=("seacache",),
    share=share,
    curves=False,
)
