"""CFG gate (adaptive guidance, arXiv 2312.12487): from some step on the unconditional branch is never computed."""

from ..schedule import TableAt
from ..site import BRANCHES
from .method import Method, Sampling, Threshold


def schedule(sampling: Sampling, share: float) -> TableAt:
    """Steps with both branches: all but the last `share`. At the others the last computed difference is reused."""
    steps = sampling.timeline.steps
    return sampling.computing(range(steps - round(share * steps)), BRANCHES)


CFG_GATE = Method(
    "CFG gate",
    "arXiv 2312.12487",
    "Computes no negative prompt in the last part of the steps, and goes on with the last difference.",
    Threshold("gated share", 0.02, 0.95, 0.4),
    schedule,
    aliases=("cfg gate", "adaptive guidance"),
    curves=False,
    kinds=BRANCHES,
)
