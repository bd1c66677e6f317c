"""The models that a queued prompt samples, and with how many steps: read from the prompt, as ComfyUI would run it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Prompt = Mapping[str, Mapping[str, Any]]  # API format: by node id, `class_type` and `inputs`
SWITCH = "ComfySwitchNode"
NUMBER = re.compile(r"[-+]?(?:\d*\.*\d+)")  # as ManualSigmas reads its text


class Sampled(NamedTuple):
    """A model input whose model is sampled. `steps`: None where the prompt does not tell them."""

    node: str
    name: str
    steps: int | None


def linked(value: Any) -> bool:
    """True for an input that comes from another node: `[id, slot]`."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def value(prompt: Prompt, given: Any) -> Any:
    """The value of an input; None where a node computes it."""
    if not linked(given):
        return given
    node = prompt.get(given[0], {"class_type": "", "inputs": {}})
    if node["class_type"] == SWITCH:
        return value(prompt, _chosen(prompt, node))
    return value(prompt, node["inputs"].get("value")) if node["class_type"].startswith("Primitive") else None


def _chosen(prompt: Prompt, switch: Mapping[str, Any]) -> Any:
    on = value(prompt, switch["inputs"].get("switch"))
    return None if on is None else switch["inputs"].get("on_true" if on else "on_false")


def number(prompt: Prompt, given: Any) -> float | None:
    """The value of an input as ComfyUI makes a number of it; None where that is not known before a run."""
    try:
        return float(value(prompt, given))
    except (TypeError, ValueError):
        return None


def sigmas(prompt: Prompt, given: Any) -> int | None:
    """The steps of a link that carries sigmas; None where the prompt does not tell them."""
    if not linked(given) or given[0] not in prompt:
        return None
    node = prompt[given[0]]
    kind, inputs = node["class_type"], node["inputs"]
    if kind == SWITCH:
        return sigmas(prompt, _chosen(prompt, node))
    if kind == "ManualSigmas":
        text = value(prompt, inputs["sigmas"])
        return None if text is None else max(len(NUMBER.findall(text)) - 1, 0)
    if "sigmas" in inputs:
        return _part(prompt, kind, inputs, given[1])
    steps, denoise = number(prompt, inputs.get("steps")), number(prompt, inputs.get("denoise", 1))
    if steps is None or denoise is None:
        return None
    return int(steps) if kind == "BasicScheduler" else round(steps * denoise)


def _part(prompt: Prompt, kind: str, inputs: Mapping[str, Any], slot: int) -> int | None:
    """The steps that a node leaves of others' sigmas."""
    whole = sigmas(prompt, inputs["sigmas"])
    if whole is None or kind in ("FlipSigmas", "SetFirstSigma"):
        return whole
    at = number(prompt, inputs.get({"SplitSigmas": "step", "SplitSigmasDenoise": "denoise"}.get(kind, "")))
    if at is None:
        return None
    first = min(int(at), whole) if kind == "SplitSigmas" else whole - round(whole * at)
    return whole - first if slot else first


def steps_of(prompt: Prompt, node: Mapping[str, Any]) -> int | None:
    """The steps of a sampler; None where the prompt does not tell them."""
    inputs = node["inputs"]
    if "sigmas" in inputs:
        return sigmas(prompt, inputs["sigmas"])
    given = (inputs["steps"], inputs.get("start_at_step", 0), inputs.get("end_at_step", 1e9))
    steps, start, end = (number(prompt, each) for each in given)
    return None if steps is None or start is None or end is None else max(int(min(steps, end) - start), 0)


def samples(node: Mapping[str, Any]) -> bool:
    """True for a node that samples."""
    return {"sigmas", "sampler"} <= node["inputs"].keys() or {"steps", "latent_image"} <= node["inputs"].keys()


def _models(node: Mapping[str, Any], info: Mapping[str, Any]) -> Iterator[str]:
    """The names of a node's inputs that take a model, and are linked."""
    parts = info.get(node["class_type"], {}).get("input", {})
    for part in ("required", "optional"):
        for name, spec in parts.get(part, {}).items():
            if spec[0] == "MODEL" and linked(node["inputs"].get(name)):
                yield name


def sampled(prompt: Prompt, info: Mapping[str, Any]) -> list[Sampled]:
    """The models that a prompt samples; `info`: what /object_info says of the nodes."""
    found = []
    for key, node in prompt.items():
        if samples(node):
            guider = node["inputs"].get("guider", [""])[0]
            where = {key: node, **({guider: prompt[guider]} if guider in prompt else {})}
            found += [Sampled(at, name, steps_of(prompt, node)) for at in where for name in _models(where[at], info)]
    return found
