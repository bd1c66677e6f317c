"""One task for each plan, made of workflows and what is wanted of them."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from operator import itemgetter
from pathlib import Path
from typing import Any

from ..queued import samples, steps_of
from .convert import Define, Prompt, converted, is_api
from .errors import InputError
from .graph import Learner, everywhere, learners, model_of, pruned, samplers
from .matrix import Change, parsed

Check = Callable[[Prompt, str], "str | None"]  # what ComfyUI has against a prompt up to a node; None if nothing


@dataclass(frozen=True)
class Task:
    """A plan to be learned in the sampler of a prompt, from so many pictures. `model`: the same text for the same
    files; `steps`: None where the prompt does not tell them; `speedup`: steps for each computed one."""

    name: str
    prompt: Prompt
    sampler: str
    model: str
    steps: int | None
    speedup: float
    pictures: int = 1

    @property
    def samplings(self) -> int:
        """Samplings that it takes: of each picture one in full and one to fit, and one without learning to compare."""
        return 2 * self.pictures + 1

    @property
    def cost(self) -> float:
        """Steps that are computed, about: those of the full samplings, and a part of those of the others."""
        steps = self.steps or 0
        return self.pictures * steps + (self.pictures + 1) * ceil(steps / (self.speedup or 1))


@dataclass(frozen=True)
class Wanted:
    """What the command line says. `presets`: speed-ups of learned plans, by preset, by the class of Apply nodes."""

    matrix: Sequence[str] = ()
    everywhere: bool = False
    speedup: float = 0.0
    pictures: int = 1
    presets: Mapping[str, Mapping[str, float]] | None = None

    def preset(self, node: str) -> str:
        """The preset of an Apply node that has the wanted speed-up. Raises InputError where there is none."""
        speeds = (self.presets or {})[node]
        found = [name for name, speed in speeds.items() if speed == self.speedup and name != "auto"]
        if not found:
            named = ", ".join(
                f"{speed:g} ({name})" for name, speed in sorted(speeds.items(), key=itemgetter(1)) if name != "auto"
            )
            raise InputError(f"--speedup {self.speedup:g}: {node} has no preset for it; its speed-ups are {named}")
        return found[0]


def read(path: Path) -> Any:
    """The JSON in a file. Raises InputError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path}: this is no JSON ({error})") from error


def tasks_of(path: Path, wanted: Wanted, define: Define, check: Check) -> list[Task]:
    """The tasks of a workflow. Raises InputError, which names it, for anything that cannot be learned from."""
    workflow = read(path)
    try:
        prompt = workflow if is_api(workflow) and workflow else converted(workflow, define)
        return list(_tasks(path.name, prompt, wanted, define, check))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _tasks(name: str, prompt: Prompt, wanted: Wanted, define: Define, check: Check) -> Iterator[Task]:
    if not samplers(prompt, define):
        missing = sorted({n["class_type"] for n in prompt.values() if define(n["class_type"]) is None})
        without = f"; ComfyUI has no {', '.join(missing)}" if missing else ""
        raise InputError(f"it has no sampler, a node that makes a latent with a model{without}")
    prompt = everywhere(prompt, define) if wanted.everywhere else prompt
    found = learners(prompt, define)
    if not found:
        raise InputError("no sampler's model learns: put AB-Cache Apply before it, or give --everywhere")
    for learner in found:
        yield from _varied(name, pruned(prompt, learner.sampler), learner, wanted, define, check)


def _varied(
    name: str, prompt: Prompt, learner: Learner, wanted: Wanted, define: Define, check: Check
) -> Iterator[Task]:
    for variation, changes in parsed(wanted.matrix):
        made = _changed(prompt, changes, define)
        node = made[learner.apply]
        if wanted.speedup:
            node["inputs"]["preset"] = wanted.preset(node["class_type"])
        complaint = check(made, learner.sampler)
        if complaint:
            raise InputError(complaint)
        title = ", ".join(filter(None, (name, f"sampler {learner.sampler}", variation)))
        speedup = (wanted.presets or {}).get(node["class_type"], {}).get(node["inputs"].get("preset", ""), 0.0)
        sampler = made[learner.sampler]
        steps = steps_of(made, sampler) if samples(sampler) else None
        model = model_of(made, learner.sampler, define)
        yield Task(title, made, learner.sampler, model, steps, speedup, wanted.pictures)


def _changed(prompt: Prompt, changes: Sequence[Change], define: Define) -> Prompt:
    made = copy.deepcopy(prompt)
    for change in changes:
        change(made, define)
    return made


def grouped(tasks: Sequence[Task]) -> list[Task]:
    """The tasks with those of one model together, so that it is loaded once."""
    order = {model: number for number, model in enumerate(dict.fromkeys(task.model for task in tasks))}
    return sorted(tasks, key=lambda task: order[task.model])
