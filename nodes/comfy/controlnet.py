"""ControlNets of a model whose output is predicted: ComfyUI asks for their residuals before each call of the model,
needed or not."""

from __future__ import annotations

from functools import partial


class Waiting:
    """A ControlNet whose residuals are computed once the model runs; everything else is the ControlNet's own."""

    def __init__(self, control):
        self.control = control

    def __getattr__(self, name: str):
        return getattr(vars(self).get("control"), name)  # a copy in the making has none yet

    def get_instance_for_device(self, device) -> Waiting:
        """The copy of the ControlNet on another device of the model; it waits, too."""
        return Waiting(self.control.get_instance_for_device(device))

    def get_control(self, x_noisy, t, cond: dict, *args, **kwargs) -> partial:
        """A call that computes the residuals (`arrived`). It holds a copy of `cond`: ComfyUI puts the call itself into
        `cond`, and such a circle would keep its tensors until the garbage is collected."""
        return partial(self.control.get_control, x_noisy, t, dict(cond), *args, **kwargs)


def waiting(conds: list[list[dict] | None]) -> list[list[dict] | None]:
    """ComfyUI's conditionings, with ControlNets that wait. Conditionings that shared one still do: ComfyUI batches them
    by its identity."""
    waiters: dict[int, Waiting] = {}

    def with_waiting(cond: dict) -> dict:
        control = cond.get("control")
        return cond if control is None else {**cond, "control": waiters.setdefault(id(control), Waiting(control))}

    return [group and [with_waiting(cond) for cond in group] for group in conds]


def arrived(control):
    """Residuals for a call of the model, computed now if they have waited."""
    return control() if isinstance(control, partial) else control


def overheard(model_options: dict, key: str) -> bool:
    """True if another wrapper than that with this `key` sees the residuals on their way to the model, and might read
    them."""
    wrappers = model_options.get("transformer_options", {}).get("wrappers", {}).get("apply_model", {})
    return "model_function_wrapper" in model_options or any(own for name, own in wrappers.items() if name != key)
