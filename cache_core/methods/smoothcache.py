"""SmoothCache (arXiv 2411.10510): reuse for as many steps as the error of a recorded lookahead allows."""

from collections.abc import Sequence

from ..schedule import Table, TableAt, at_share, from_steps, parse_layer_lists
from ..site import MODULES
from .method import Method, Sampling, Threshold

MOST = 3  # steps that an output is reused for, as in the released schedules for DiT-XL/2


def greedy(ahead: Sequence[Sequence[float]], threshold: float, most: int = MOST) -> tuple[int, ...]:
    """Computed steps for the errors `ahead` `(>= most, N)` of an output of step i in place of that of step i + m.

    From a computed step on, the output is reused for the most steps m whose error is not above `threshold` (alpha); the
    step behind them is computed, and so is the last one. METHODS_RELATED.md section 3.
    """
    steps, step = len(ahead[0]), 0
    computed = {steps - 1}
    while step < steps:
        computed.add(step)
        allowed = (m for m in range(1, most + 1) if step + m < steps and ahead[m - 1][step] <= threshold)
        step += 1 + max(allowed, default=0)
    return tuple(sorted(computed))


def schedule(sampling: Sampling, threshold: float) -> TableAt:
    """The imported schedule, else the greedy one by the recorded errors of the model's output, for attention and MLP
    alike, as in every released file."""
    if sampling.given:
        return sampling.scheduled(imported(sampling))
    return sampling.computing(greedy(sampling.profile.ahead, threshold) if sampling.profile else ())


def imported(sampling: Sampling) -> Table:
    """The table of the given JSON, spread over this sampling's steps. Where attention and MLP cannot be told apart, a
    step that computes one of them computes both."""
    found, steps = parse_layer_lists(sampling.given), sampling.timeline.steps
    each = {kind: at_share(found.computed(kind), len(found.rows), steps) for kind in found.kinds}
    if sampling.inside and sampling.variant.apart:
        rows = (frozenset(kind for kind in found.kinds if step in each[kind]) for step in range(steps))
        return Table(found.kinds, tuple(rows))
    return from_steps(sampling.kinds, {step for computed in each.values() for step in computed}, steps)


def refusal(sampling: Sampling) -> str:
    """The reason why there is no schedule for a sampling."""
    if not sampling.given:
        return (
            ""
            if sampling.profile
            else (
                "the published schedules are for DiT-XL/2 and hold for no other model. Set curves to 'learned on this "
                "model', or give a schedule that was made for this one."
            )
        )
    apart = sampling.inside and sampling.variant.apart
    if apart or parse_layer_lists(sampling.given).kinds == MODULES:
        return ""
    return "the schedule is for attention or MLP alone, and in this model they cannot be told apart. Name attn and mlp."


def notes(sampling: Sampling) -> tuple[str, ...]:
    """A sentence on a schedule that was made for another number of steps."""
    if not sampling.given:
        return ()
    made, steps = len(parse_layer_lists(sampling.given).rows), sampling.timeline.steps
    return () if made == steps else (f"the schedule is for {made} steps: it was spread over the {steps} of this one",)


SMOOTHCACHE = Method(
    "SmoothCache",
    "arXiv 2411.10510",
    "Reuses for as many steps as the recorded error of looking ahead allows.",
    Threshold("alpha", 0.001, 4.0, 0.18),
    schedule,
    refusal=refusal,
    notes=notes,
    imports=True,
    aliases=("smoothcache", "smooth cache", "dit-smoothcache"),
)
