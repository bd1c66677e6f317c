"""Variations of a prompt: sizes, samplers, steps, guidance, LoRAs."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

from ..queued import linked
from .convert import Define, Prompt
from .errors import InputError
from .graph import APPLY, put_before

Change = Callable[[Prompt, Define], None]  # in place; raises InputError
NUMBERS: dict[str, type] = {"steps": int, "cfg": float, "guidance": float, "denoise": float, "shift": float}
LORA = "LoraLoaderModelOnly"
LORAS = ("LoraLoader", LORA)
HOW = "write --matrix size=1024x1024,1536x1024 steps=20,28 cfg=3.5 sampler_name=euler lora=FILE:0.8,none"


def parsed(entries: Sequence[str]) -> list[tuple[str, list[Change]]]:
    """All combinations of the entries, `NAME=VALUE,...`: a name for each, and its changes. Raises InputError."""
    axes = [list(_axis(entry)) for entry in entries]
    return [(", ".join(name for name, _ in chosen), [change for _, change in chosen]) for chosen in product(*axes)]


def _axis(entry: str) -> Iterator[tuple[str, Change]]:
    name, _, values = entry.partition("=")
    if not name or not values or not all(values.split(",")):
        raise InputError(f"--matrix {entry!r} names no values; {HOW}")
    for value in values.split(","):
        yield f"{name}={value}", _change(name, value)


def _change(name: str, value: str) -> Change:
    try:
        if name == "size":
            width, height = (int(part) for part in value.split("x"))
            return lambda prompt, define: _set(prompt, {"width": width, "height": height})
        if name == "lora":
            return _lora(value)
        given: Any = NUMBERS.get(name, str)(value)
    except ValueError:
        raise InputError(f"--matrix {name}={value} cannot be read; {HOW}") from None
    return lambda prompt, define: _set(prompt, {name: given})


def _set(prompt: Prompt, values: dict[str, Any]) -> None:
    """Set inputs wherever a node has all of them unlinked. Raises InputError where none has."""
    nodes = [node["inputs"] for node in prompt.values() if all(name in node["inputs"] for name in values)]
    free = [inputs for inputs in nodes if not any(linked(inputs[name]) for name in values)]
    if not free:
        raise InputError(f"--matrix sets {' and '.join(values)}, which no node before the sampler has as a widget")
    for inputs in free:
        inputs.update(values)


def _lora(value: str) -> Change:
    """A LoRA with its strength, in the LoRA loader that is there, or in a new one before each Apply node."""
    file, _, strength = value.rpartition(":") if value != "none" else ("", "", "0")
    weight = float(strength)

    def change(prompt: Prompt, define: Define) -> None:
        there = [node["inputs"] for node in prompt.values() if node["class_type"] in LORAS]
        if len(there) > 1:
            raise InputError(f"--matrix lora={value}: the workflow has {len(there)} LoRA loaders; it may have one")
        for inputs in there:
            inputs.update({name: weight for name in inputs if name.startswith("strength_")})
            inputs.update({"lora_name": file} if file else {})
        if not there and file:
            for key in [key for key, node in prompt.items() if node["class_type"] in APPLY]:
                put_before(prompt, key, LORA, define, lora_name=file, strength_model=weight)

    if value != "none" and not file:
        raise ValueError(value)
    return change
