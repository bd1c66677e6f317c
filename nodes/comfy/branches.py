"""The two branches of classifier-free guidance in ComfyUI's calls: where the unconditional one is predicted, it never
becomes a row of a model call."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from ...cache_core import Kind, Run
from ...cache_core.run.branches import difference
from ...cache_core.site import BRANCHES
from . import sampling

if TYPE_CHECKING:
    from torch import Tensor

Conds = list  # of ComfyUI: for each role a list of conditionings, None for a role that is left out
# functions of other nodes that are given the outputs of both branches, or the conditionings of both
HOOKS = (
    "sampler_cfg_function",
    "sampler_pre_cfg_function",
    "sampler_post_cfg_function",
    "sampler_calc_cond_batch_function",
)


def hindrance(model_options: dict, at_first: frozenset) -> str:
    """The reason why every step needs the true unconditional output; empty if none does. `at_first`: hooks on the
    guided output that were there before the sampler."""
    if sampling.hooks_of(model_options) - at_first:
        return (
            "this sampler needs the true unconditional output of every step, as those with cfg_pp do: it is computed. "
            "Take the sampler of the same name without cfg_pp"
        )
    for name in HOOKS:
        hook = model_options.get(name)
        if hook := next(iter(hook), None) if isinstance(hook, list | tuple) else hook:
            told = getattr(hook, "__qualname__", type(hook).__name__).partition(".<locals>")[0]
            return f"another node ({told}) works on the outputs of both branches: both are computed. Take it off"
    if len(model_options.get("multigpu_clones", ())) > 1:
        return "the branches run on several devices at the same time: both are computed, nothing would be saved"
    return ""


def unpaired(conds: Conds) -> str:
    """The reason why a call of ComfyUI's is not one of two branches; empty if it is."""
    if len(conds) == 2 and conds[0] and conds[1]:
        return ""
    if len(conds) == 2 and conds[0]:
        return "guidance is 1: there is no second branch to leave out. Cache the model's output or its blocks"
    return f"the guider asks for {len(conds)} conditionings at a time, and guidance has two: all are computed"


class Branches:
    """Predictions of the unconditional branch for one sampling. `run`: has a plan for the guidance."""

    def __init__(self, run: Run, model_sampling):
        self.run, self.model_sampling = run, model_sampling

    def decide(self, model_options: dict, at_first: frozenset) -> None:
        """Before an evaluation: compute both branches from now on where another function needs them."""
        if Kind.GUIDANCE not in self.run.agenda.barred and (reason := hindrance(model_options, at_first)):
            self.run.bar(BRANCHES, reason)

    def outputs(self, calculate: Callable[[Conds], list[Tensor]], conds: Conds, x, sigma, options: dict) -> list:
        """The denoised outputs of the roles in `conds`, in order. `calculate`: ComfyUI's, of the roles in its argument
        that are not None."""
        if reason := unpaired(conds):
            self.run.demote(reason)
            return calculate(conds)
        active = tuple(_active(role, sigma) for role in conds)
        if not all(active) or not float(sigma.max()):  # at 0 a denoised output holds no raw one
            return calculate(conds)
        outputs: list = []

        def both() -> Tensor:
            outputs[:] = calculate(conds)
            return sampling.raw_difference(self.model_sampling, sigma, *reversed(outputs))

        def alone() -> None:
            outputs[:] = calculate([conds[0], None])

        pair, signature = (Kind.GUIDANCE.value, _window(options), active), (tuple(x.shape), x.dtype)
        predicted = difference(self.run, pair, signature, both, alone, x.device, x.ndim > 3)
        if predicted is not None:
            outputs[1] = sampling.displaced(self.model_sampling, sigma, outputs[0], predicted)
        return outputs


def _window(options: dict) -> Hashable:
    """The frames of a context window; None for the whole latent."""
    window = getattr(options.get("transformer_options", {}).get("context_window"), "index_list", None)
    return None if window is None else tuple(window)


def _active(role: list[dict], sigma) -> tuple[Hashable, ...]:
    """The conditionings of a role that count at `sigma`, as ComfyUI looks at their ranges of steps."""
    now = float(sigma.flatten()[0])
    inside = (c for c in role if c.get("timestep_start", now) >= now >= c.get("timestep_end", now))
    return tuple(str(cond.get("uuid")) for cond in inside)
