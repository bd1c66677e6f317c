"""PromptTea's DynCFGCache (arXiv 2507.06739): the unconditional branch is computed when the guidance has changed."""

from collections.abc import Sequence

from ..schedule import TableAt
from ..site import BRANCHES
from .method import Method, Sampling, Threshold
from .profile import resampled
from .published import published

# PromptTea's codebook by the class of the diffusion model. Wan2.2 has the class of Wan2.1, whose steps are closer.
CODEBOOKS = {"WanModel": "wan2.1", "CogVideoXTransformer3DModel": "cogvideox1.5"}


def accumulated(changes: Sequence[float], threshold: float) -> tuple[int, ...]:
    """Computed steps for the change of the guidance `(N,)` at each step: those at which the sum since the last one
    reaches `threshold`, and step 0. PromptTea, METHODS_RELATED.md section 7 (3)."""
    total, computed = 0.0, [0]
    for step, change in enumerate(changes[1:], start=1):
        total += change
        if total >= threshold:
            computed.append(step)
            total = 0.0
    return tuple(computed)


def schedule(sampling: Sampling, threshold: float) -> TableAt:
    """Steps with both branches. At the others the last computed difference is reused; the released code takes the
    conditional branch's residual in its place, which is no guidance at those steps."""
    profile = sampling.profile
    changes = profile.guidance if profile else resampled(codebook(sampling), sampling.timeline.steps)
    return sampling.computing(accumulated(changes, threshold), BRANCHES)


def codebook(sampling: Sampling) -> Sequence[float]:
    """The published mean change of the guidance at each step of this model; empty where there is none."""
    return published()["prompttea_dcfg_codebook"].get(CODEBOOKS.get(sampling.variant.name, ""), ())


def refusal(sampling: Sampling) -> str:
    """The reason why there is no curve for a sampling."""
    if sampling.profile and not sampling.profile.guidance:
        return "the recorded picture had no guidance, so there is no second branch. Set cfg above 1."
    if sampling.profile or codebook(sampling):
        return ""
    return (
        f"no codebook was published for {sampling.variant.name or 'this model'}. Set curves to 'learned on this model'."
    )


DYNCFG = Method(
    "PromptTea DynCFG",
    "arXiv 2507.06739",
    "Computes the negative prompt again once the guidance has changed by so much, by a curve.",
    Threshold("dcfg threshold", 0.001, 20.0, 0.02),
    schedule,
    refusal=refusal,
    aliases=("prompttea", "dyncfgcache"),
    kinds=BRANCHES,
)
