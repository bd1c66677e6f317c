"""What a prompt samples, and which of its models learn."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..queued import linked
from .convert import Define, Definition, Prompt, default_of, fresh_id, is_widget
from .errors import InputError

APPLY = ("ABCacheApply", "FEBCacheApply")
ANYTHING = ("*", "COMFY_MATCHTYPE_V3")  # outputs of nodes that hand on what they get


class Learner(NamedTuple):
    """A sampler whose model learns: ids of the sampler and of the Apply node before it."""

    sampler: str
    apply: str


def outputs_of(prompt: Prompt, key: str, define: Define) -> tuple[str, ...]:
    """The types of a node's outputs; none for a class that is not there."""
    found = define(prompt[key]["class_type"])
    return found.outputs if found else ()


def links(prompt: Prompt, key: str) -> Iterator[tuple[str, list]]:
    """The linked inputs of a node, by name."""
    for name, given in prompt[key]["inputs"].items():
        if linked(given) and given[0] in prompt:
            yield name, given


def carrying(prompt: Prompt, key: str, define: Define, *types: str) -> list[tuple[str, list]]:
    """The inputs of a node that carry one of these types, with their links."""
    found = []
    for name, link in links(prompt, key):
        outputs = outputs_of(prompt, link[0], define)
        kind = outputs[link[1]] if link[1] < len(outputs) else ""
        declared = define(prompt[key]["class_type"])
        wanted = declared.inputs.get(name, ("",))[0] if declared else ""
        if kind in types or (kind in ANYTHING and (wanted in types or wanted in ANYTHING)):
            found.append((name, link))
    return found


def ancestors(prompt: Prompt, key: str) -> set[str]:
    """Ids of a node and of all that its inputs come from."""
    found, left = set(), [key]
    while left:
        at = left.pop()
        if at not in found:
            found.add(at)
            left += [link[0] for _, link in links(prompt, at)]
    return found


def pruned(prompt: Prompt, key: str) -> Prompt:
    """The part of a prompt that makes the node `key`, and nothing behind it."""
    kept = ancestors(prompt, key)
    return {at: node for at, node in prompt.items() if at in kept}


def samplers(prompt: Prompt, define: Define) -> list[str]:
    """Ids of nodes that make a latent with a model or a guider."""
    return [
        key
        for key in prompt
        if "LATENT" in outputs_of(prompt, key, define) and carrying(prompt, key, define, "MODEL", "GUIDER")
    ]


def apply_before(prompt: Prompt, key: str, define: Define) -> str:
    """The id of the last Apply node before a sampler that learns; empty without one."""
    left, seen = [key], set()
    while left:
        at = left.pop(0)
        if at in seen:
            continue
        seen.add(at)
        if prompt[at]["class_type"] in APPLY and learns(prompt[at]):
            return at
        left += [link[0] for _, link in carrying(prompt, at, define, "MODEL", "GUIDER")]
    return ""


def learns(node: Mapping[str, Any]) -> bool:
    """True for an Apply node whose widgets let it learn, as far as the prompt tells."""
    given = node["inputs"]
    return "plan" not in given and given.get("learn", True) is not False and given.get("preset") not in ("off",)


def learners(prompt: Prompt, define: Define) -> list[Learner]:
    """The samplers whose models learn, in the order of the prompt."""
    found = [Learner(key, apply_before(prompt, key, define)) for key in samplers(prompt, define)]
    return [learner for learner in found if learner.apply]


def everywhere(prompt: Prompt, define: Define) -> Prompt:
    """The prompt with AB-Cache Apply before the models of the samplers that have no Apply node. Raises InputError
    where there is no such node."""
    definition = define(APPLY[0])
    if definition is None:
        raise InputError(f"ComfyUI has no node {APPLY[0]}")
    made = {key: {**node, "inputs": dict(node["inputs"])} for key, node in prompt.items()}
    for key in samplers(prompt, define):
        if not apply_before(prompt, key, define):
            guiders = [link[0] for _, link in carrying(prompt, key, define, "GUIDER")]
            for at in (key, *guiders):
                for name, link in carrying(prompt, at, define, "MODEL"):
                    made[at]["inputs"][name] = [_put(made, APPLY[0], definition, link), 0]
    return made


def _put(prompt: Prompt, name: str, definition: Definition, model: list, **given: Any) -> str:
    """The id of a new node of a class, with its defaults, behind a model."""
    same = {"model": model, **widget_defaults(definition), **given}
    found = next((key for key, node in prompt.items() if node == {"class_type": name, "inputs": same}), "")
    key = found or fresh_id(prompt, f"{name}_")
    prompt[key] = {"class_type": name, "inputs": same}
    return key


def widget_defaults(definition: Definition) -> dict[str, Any]:
    """The values that a node's widgets show at first."""
    return {name: default_of(spec) for name, spec in definition.inputs.items() if is_widget(spec)}


def put_before(prompt: Prompt, key: str, name: str, define: Define, **given: Any) -> None:
    """Put a node of the class `name` before the model of the node `key`. Raises InputError without such a class."""
    definition = define(name)
    if definition is None:
        raise InputError(f"ComfyUI has no node {name}")
    prompt[key]["inputs"]["model"] = [_put(prompt, name, definition, prompt[key]["inputs"]["model"], **given), 0]


def model_of(prompt: Prompt, key: str, define: Define) -> str:
    """A text that is the same for samplers of the same model files, patches aside."""
    loaders = []
    for at in sorted(ancestors(prompt, key)):
        if "MODEL" in outputs_of(prompt, at, define) and not carrying(prompt, at, define, "MODEL"):
            loaders.append([prompt[at]["class_type"], prompt[at]["inputs"]])
    return json.dumps(sorted(loaders, key=str), sort_keys=True)
