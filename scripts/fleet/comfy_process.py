"""A ComfyUI in this process, without a page: its nodes, its validation, and runs of prompts up to a sampler."""

import asyncio
import inspect
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from .convert import Definition, Prompt
from .errors import InputError
from .graph import APPLY, ancestors
from .report import ERROR, NOTHING, Result
from .tasks import Task

ROOT = Path(__file__).resolve().parents[2]
MARK = "plan_wanted"  # an input of the sampler that no node has: its result is not that of the sampler in a picture


class ComfyProcess:
    """The ComfyUI of a folder, with this pack, that writes plans into `plans`. `arguments`: of ComfyUI's command line.
    Raises InputError where there is none that can be used."""

    def __init__(self, folder: Path, plans: Path, arguments: Sequence[str] = ()):
        if not (folder / "execution.py").is_file():
            raise InputError(f"{folder} is no ComfyUI; set COMFYUI_DIR to its folder")
        _import(folder, arguments)
        self.nodes, self.execution = import_module("nodes"), import_module("execution")
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._load_nodes()
        self.wishes, self.plan_folder = self._pack("only_learning"), self._pack("plan_folder")
        self.plan_folder.only = plans
        self._executor = _executor(self.execution, self._server)
        self._runs = 0
        self.define = cache(self._definition)

    def _load_nodes(self) -> None:
        server, args = import_module("server"), import_module("comfy.cli_args").args
        self._server = server.PromptServer(self._loop)
        self._server.send_sync = lambda *_, **__: None  # there is no page
        import_module("comfy.utils").set_progress_bar_enabled(False)
        run, custom = self._loop.run_until_complete, not args.disable_all_custom_nodes
        run(self.nodes.init_extra_nodes(init_custom_nodes=custom, init_api_nodes=False))
        if APPLY[0] not in self.nodes.NODE_CLASS_MAPPINGS:
            run(self.nodes.load_custom_node(str(ROOT)))

    def _pack(self, name: str) -> Any:
        """A module of the pack that ComfyUI has loaded."""
        found = self.nodes.NODE_CLASS_MAPPINGS.get(APPLY[0])
        try:
            if found is None:
                raise ImportError("it cannot be loaded")
            return import_module(f"{found.__module__.removesuffix('.nodes.ab_cache_apply')}.nodes.comfy.{name}")
        except ImportError as error:
            raise InputError(f"this ComfyUI has this pack in another version, without {name}: {error}") from error

    def _definition(self, name: str) -> Definition | None:
        found = self.nodes.NODE_CLASS_MAPPINGS.get(name)
        if found is None:
            return None
        groups = found.INPUT_TYPES()
        inputs = {key: spec for part in ("required", "optional") for key, spec in groups.get(part, {}).items()}
        return Definition(inputs, tuple(str(kind) for kind in found.RETURN_TYPES))

    def complaint(self, prompt: Prompt, sampler: str) -> str | None:
        """What ComfyUI has against a prompt up to a node, in a line; None if nothing."""
        for key in sorted(ancestors(prompt, sampler)):
            if self.define(prompt[key]["class_type"]) is None:
                return f"node {key}: this ComfyUI has no node {prompt[key]['class_type']}"
        found: dict[str, Any] = {}
        try:
            self._loop.run_until_complete(self.execution.validate_inputs("plan", prompt, sampler, found))
        except Exception as error:  # a node's own check may raise anything
            return f"{type(error).__name__}: {error}".splitlines()[0]
        wrong = [(key, reasons[0]) for key, (valid, reasons, *_) in found.items() if not valid and reasons]
        return next((_in_words(key, prompt[key]["class_type"], reason) for key, reason in wrong), None)

    def learn(self, task: Task, dry: bool = False, known: Mapping[str, str] | None = None) -> list[Result]:
        """What came of a task: a result for each of its samplings. Raises KeyboardInterrupt if it was interrupted."""
        self._runs += 1
        sampler = task.prompt[task.sampler]
        marked = {**sampler, "inputs": {**sampler["inputs"], MARK: self._runs}}
        wish = self.wishes.Wish(task.sampler, task.pictures, dry, known or {})
        began = time.perf_counter()
        self.wishes.want(wish)
        try:
            self._executor.execute({**task.prompt, task.sampler: marked}, f"plan_{self._runs}", {}, [task.sampler])
        finally:
            self.wishes.want(None)
        return self._results(task, wish.outcomes, time.perf_counter() - began)

    def outputs(self, prompt: Prompt) -> dict[str, Any]:
        """What the output nodes of a prompt show, by node. Raises InputError for a prompt that ComfyUI refuses, or that
        fails."""
        classes = self.nodes.NODE_CLASS_MAPPINGS
        ends = [key for key, node in prompt.items() if getattr(classes.get(node["class_type"]), "OUTPUT_NODE", False)]
        complaint = next(filter(None, (self.complaint(prompt, key) for key in ends)), None)
        if complaint or not ends:
            raise InputError(complaint or "no node of this prompt shows anything")
        self._runs += 1
        self._executor.execute(prompt, f"picture_{self._runs}", {}, ends)
        error = dict(self._executor.status_messages).get("execution_error")
        if error:
            raise InputError(f"node {error['node_id']} ({error['node_type']}): {error['exception_message']}".strip())
        return self._executor.history_result["outputs"]

    def _results(self, task: Task, outcomes: Sequence[Any], seconds: float) -> list[Result]:
        said = dict(self._executor.status_messages)
        if "execution_interrupted" in said:
            raise KeyboardInterrupt
        if "execution_error" in said:
            error = said["execution_error"]
            reason = f"node {error['node_id']} ({error['node_type']}): {error['exception_type']}: "
            reason += " ".join(str(error["exception_message"]).split())
            return [Result(task.name, ERROR, reason=reason, seconds=seconds, error=error["exception_type"])]
        if not outcomes:
            return [Result(task.name, NOTHING, reason="the node sampled nothing", seconds=seconds)]
        each = seconds / len(outcomes)
        return [Result(task.name, o.result, o.key, self._file(o.key), o.reason, o.steps, each) for o in outcomes]

    def _file(self, key: str) -> str:
        """The name of the file of a plan; empty without one."""
        if not key:
            return ""
        found = self.plan_folder.library.found(self.plan_folder.folders(), key)
        return found[0].name if found else ""

    def interrupt(self) -> None:
        """Let the sampling that runs end at its next step."""
        self.nodes.interrupt_processing()


def _import(folder: Path, arguments: Sequence[str]) -> None:
    """Make the modules of ComfyUI importable. They read the command line when they are imported."""
    given = list(arguments) if "--cpu" in arguments or has_accelerator() else [*arguments, "--cpu"]
    argv, sys.argv = sys.argv, ["main.py", *given]
    sys.path[:] = [str(folder), *(path for path in sys.path if path != str(folder))]
    logging.getLogger().setLevel(logging.WARNING)
    try:
        import_module("comfy.options").enable_args_parsing()
        args = import_module("comfy.cli_args").args
        paths = import_module("utils.extra_config")
        for path in (
            folder / "extra_model_paths.yaml",
            *(p for group in args.extra_model_paths_config or () for p in group),
        ):
            if Path(path).is_file():
                paths.load_extra_path_config(str(path))
    except ImportError as error:
        raise InputError(f"the ComfyUI at {folder} cannot be imported: {error}") from error
    finally:
        sys.argv = argv
    logging.getLogger().setLevel(logging.WARNING)


def has_accelerator() -> bool:
    """True if torch has a device beside the CPU."""
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available() or torch.xpu.is_available()


def _executor(execution: Any, server: Any) -> Any:
    """The executor of prompts, which keeps what the next prompt needs again, such as models."""
    if "cache_args" in inspect.signature(execution.PromptExecutor).parameters:
        sizes = {"lru": 0, "ram": 0.0, "ram_inactive": 0.0}
        return execution.PromptExecutor(server, cache_type=execution.CacheType.CLASSIC, cache_args=sizes)
    return execution.PromptExecutor(server, cache_type=execution.CacheType.CLASSIC)


def _in_words(key: str, name: str, reason: Mapping[str, Any]) -> str:
    details = " ".join(str(reason.get("details", "")).split())[:300]
    return f"node {key} ({name}): {reason.get('message', 'it is refused')}{f' ({details})' if details else ''}"
