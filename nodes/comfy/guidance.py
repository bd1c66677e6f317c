"""A name for the guidance of a sampling: beside weights, sampler and sigmas, a learned plan must share it with the
sampling that uses the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from . import KEY
from .companions import companions
from .digest import digest
from .weights import fingerprint

DECIMALS = 2  # of a number: a guidance of 3.5 is one of 3.501
PASSING = ("seed", "uuid", "curr", "start_t")  # in names of values that change with each picture, or in a sampling
LISTS = ("sampler_pre_cfg_function", "sampler_post_cfg_function")
SINGLE = ("model_function_wrapper", "sampler_cfg_function", "sampler_calc_cond_batch_function", "denoise_mask_function")
PATCHES = ("patches", "patches_replace", "wrappers", "callbacks", "optimized_attention_override")
# of a ControlNet; it holds other numbers while it works
CONTROL = ("strength", "strength_type", "timestep_percent_range", "extra_args")


def guidance(guider, sampler, masked: bool) -> str:
    """A name for the guider with its numbers, ControlNets with their ranges, hooks, patches by kind, options of the
    sampler, and a mask that keeps a part of the picture. The same for other seeds, prompts and pictures."""
    facts = (_guider(guider), _options(guider.model_patcher), _numbers(getattr(sampler, "extra_options", {})), masked)
    beside = [(fingerprint(patcher), _options(patcher)) for patcher in companions(guider)]
    return digest((*facts, *beside))[:16]


def _guider(guider) -> tuple:
    """Kind, numbers and conditionings of a guider. At guidance 1 the negative prompt is left out, in any guider."""
    conds = {name: conds for name, conds in guider.conds.items() if conds}
    numbers, kind = _numbers(vars(guider)), type(guider).__name__
    alone = getattr(guider, "cfg", None) == 1.0 and not guider.model_options.get("disable_cfg1_optimization")
    if alone and kind in ("CFGGuider", "Guider_Basic"):
        numbers, kind = {}, "one conditioning"
        conds.pop("negative", None)
    return kind, numbers, {name: [_cond(cond) for cond in several] for name, several in conds.items()}


def _cond(cond: Mapping) -> tuple:
    """A conditioning: its keys, numbers, area, ControlNets and hooks."""
    hooks = [_hook(hook) for hook in getattr(cond.get("hooks"), "hooks", ())]
    return sorted(map(str, cond)), _numbers(cond), cond.get("area"), _controls(cond.get("control")), hooks


def _controls(control) -> list:
    """The chain of ControlNets: kind, strength, range and size of each."""
    chain = []
    while control is not None:
        model = getattr(control, "control_model", None)
        sizes = [tuple(p.shape) for p in getattr(model, "parameters", tuple)()]
        chain.append((_name(control), _name(model), sizes, [_number(getattr(control, name, None)) for name in CONTROL]))
        control = getattr(control, "previous_controlnet", None)
    return chain


def _hook(hook) -> tuple:
    """A hook, with the steps at which its strength changes and the LoRA that it carries."""
    frames = [_numbers(vars(frame)) for frame in getattr(getattr(hook, "hook_keyframe", None), "keyframes", ())]
    return _name(hook), _numbers(vars(hook)), frames, getattr(hook, "weights", None)


def _options(patcher) -> tuple:
    """Functions and numbers that other nodes have put on the model, for its samplings."""
    options = patcher.model_options
    inner = options.get("transformer_options", {})
    called = [[key, _callables(options.get(key, ()))] for key in LISTS]
    called += [[key, _callables([options.get(key)])] for key in SINGLE]
    patched = [[key, _tree(inner.get(key))] for key in PATCHES]
    objects = sorted((name, _name(value)) for name, value in patcher.object_patches.items())
    wrapped = ((kind, key, own) for kind, keys in sorted(patcher.wrappers.items()) for key, own in keys.items())
    wrappers = [[kind, key, _callables(own)] for kind, key, own in wrapped if key != KEY]
    return called, patched, _numbers(inner), objects, wrappers


def _tree(value: object) -> object:
    """Nested dicts and lists of functions, as names."""
    if isinstance(value, Mapping):
        return {str(key): _tree(part) for key, part in value.items() if key != KEY}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, list | tuple):
        return [_tree(part) for part in value]
    return _callable(value)


def _callables(functions: Iterable) -> list:
    return [_callable(function) for function in functions if function is not None]


def _callable(function: object) -> tuple:
    """A function by name, with the numbers that it closes over, and those that its object holds."""
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or () if _filled(cell)]
    holder = getattr(function, "__self__", None) or (function if not hasattr(function, "__code__") else None)
    numbers = [_number(cell) for cell in cells if _is_number(cell)]
    return _name(function), numbers, _numbers(getattr(holder, "__dict__", {}))


def _filled(cell) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # not yet
        return False


def _name(value: object) -> str:
    kind = value if hasattr(value, "__qualname__") else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _numbers(values: Mapping) -> dict:
    """Numbers and words among named values, rounded, but for those that change with each picture."""
    return {
        str(name): _number(value)
        for name, value in values.items()
        if _is_number(value) and not any(word in str(name) for word in PASSING)
    }


def _is_number(value: object) -> bool:
    return isinstance(value, bool | int | float | str)


def _number(value: object) -> object:
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, list | tuple):
        return [_number(part) for part in value]
    return round(value, DECIMALS) if isinstance(value, float) else value
