"""Tasks on a Ray cluster: one task for each plan, in processes that keep a loaded ComfyUI.

Ray places, starts and watches the processes. Each has one task at a time, of the model that it has loaded if there is
one. Plans come back as bytes, and this process alone writes them.
"""

from __future__ import annotations  # the class of the processes must not carry references to this module

import json
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cache_core.errors import ConfigError
from cache_core.files import start_of, write_atomically
from cache_core.saved_plan import library
from cache_core.saved_plan.file import load

from .errors import InputError
from .report import ERROR, KNOWN, Result
from .tasks import Task

MOST_TRIES = 3  # the first one, and two elsewhere
MEMORY = "OutOfMemory"  # in the names of exceptions of a full device or host
ANSWER = 5.0  # seconds that an address has to answer
MOST_PORT = 2**16 - 1
ROOT = Path(__file__).resolve().parents[2]
UNLEARNABLE = "unlearnable_"


def known_keys(plans: Path) -> dict[str, str]:
    """Keys that nothing is to be learned for, with the reason where nothing can be; empty where there is a plan."""
    found = {}
    for path in plans.glob(f"{UNLEARNABLE}*.json"):
        try:
            found[path.stem.removeprefix(UNLEARNABLE)] = str(json.loads(start_of(path, 4096))["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found | dict.fromkeys(library.listed(plans), "")


@dataclass(eq=False)
class Place:
    """A process of the cluster: its actor, None before it is started, and the model that it has loaded."""

    actor: Any = None
    model: str = ""


@dataclass(eq=False)
class Work:
    """A task that waits or runs. `tries`: how often it was begun; `left`: the place that it failed in; `damaged`: keys
    whose plans cannot be read."""

    task: Task
    tries: int = 0
    left: Place | None = None
    damaged: set[str] = field(default_factory=set)


@dataclass
class Cluster:
    """A Ray cluster that this process has joined, with room for so many `workers`, each with `num_gpus` cards.

    `places`: its processes, which stay until it is closed.
    """

    ray: Any
    workers: int
    num_gpus: float
    places: list[Place] = field(default_factory=list)

    @classmethod
    def joined(cls, address: str, workers: int = 0, num_gpus: float | None = None) -> Cluster:
        """The cluster at an address, the running one (`auto`), or one of this machine alone (`local`). Raises
        InputError where there is none."""
        try:
            import ray
        except ImportError as error:
            raise InputError("--ray needs the package ray: python -m pip install ray") from error
        _check_reachable(address)
        where = {"num_cpus": max(workers, 1)} if address == "local" and workers else {}
        try:
            ray.init("local" if address == "local" else address, log_to_driver=False, logging_level="ERROR", **where)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise InputError(f"--ray {address}: no cluster answers ({str(error).splitlines()[0]})") from error
        room = ray.cluster_resources()
        cards = (1.0 if room.get("GPU") else 0.0) if num_gpus is None else num_gpus
        most = int(room.get("GPU", 0) / cards) if cards else int(room.get("CPU", 1))
        if most < 1:
            raise InputError(f"--num-gpus {cards:g}: the cluster has {room.get('GPU', 0):g} cards")
        return cls(ray, min(workers or most, most), cards)

    def learned(
        self, tasks: Sequence[Task], comfyui: Path, plans: Path, arguments: Sequence[str]
    ) -> Iterator[tuple[Task, list[Result]]]:
        """Each task with its results, in the order in which they are done. Their plans are in `plans` by then."""
        worker = _worker_class(self.ray, self.num_gpus)
        self.places = places = self.places or [Place() for _ in tasks[: self.workers]]
        waiting, running = [Work(task) for task in tasks], dict[Any, tuple[Work, Place]]()
        known = known_keys(plans)
        while waiting or running:
            for place in [place for place in places if all(place is not busy for _, busy in running.values())]:
                if work := chosen(waiting, place, places):
                    place.actor = place.actor or worker.remote(str(ROOT), str(comfyui), list(arguments))
                    running[self._begun(work, place, known)] = work, place
            ready, _ = self.ray.wait(list(running), num_returns=1)
            work, place = running.pop(ready[0])
            results, again = self._ended(ready[0], work, place, plans, known)
            if again:
                work.left = place if again == "elsewhere" else None
                waiting.append(work)
            else:
                yield work.task, [replace(result, tries=work.tries) for result in results]

    def close(self) -> None:
        """End the processes, and leave the cluster."""
        self.ray.shutdown()

    def _begun(self, work: Work, place: Place, known: Mapping[str, str]) -> Any:
        work.tries, place.model = work.tries + 1, work.task.model
        return place.actor.learn.remote(work.task, {k: v for k, v in known.items() if k not in work.damaged})

    def _ended(
        self, done: Any, work: Work, place: Place, plans: Path, known: dict[str, str]
    ) -> tuple[list[Result], str]:
        """The results of a task, and where it is tried again: elsewhere, anywhere; empty if nowhere."""
        try:
            results, files = self.ray.get(done)
        except self.ray.exceptions.RayTaskError as error:
            return self._failed(
                work, str(error.cause).strip() or type(error.cause).__name__, type(error.cause).__name__
            )
        except self.ray.exceptions.RayError as error:  # the process or its machine is gone
            place.actor, place.model = None, ""
            return self._failed(work, _gone(error), MEMORY)
        for name, content in files.items():
            write_atomically(plans / name, content)
            known[library.key_in(name.removesuffix(".json"))] = ""
        if any(MEMORY in result.error for result in results) and work.tries < MOST_TRIES:
            return results, "elsewhere"
        results = [_filed(result, plans) for result in results]
        damaged = {r.key for r in results if r.result == KNOWN and not _readable(plans, r.file)} - work.damaged
        if damaged:
            work.damaged |= damaged
            work.tries -= 1
            return results, "anywhere"
        return results, ""

    def _failed(self, work: Work, reason: str, kind: str) -> tuple[list[Result], str]:
        if MEMORY in kind and work.tries < MOST_TRIES:
            return [], "elsewhere"
        return [Result(work.task.name, ERROR, reason=" ".join(reason.split())[:500], error=kind)], ""


def chosen(waiting: list[Work], place: Place, places: Sequence[Place]) -> Work | None:
    """The next work for a place, taken out of those that wait: of the model that it has loaded, else of one that no
    other has, else any; none that failed there while there are other places."""
    fit = [work for work in waiting if work.left is not place or len(places) == 1]
    elsewhere = {other.model for other in places if other is not place}
    if not fit:
        return None
    work = min(fit, key=lambda own: (own.task.model != place.model, own.task.model in elsewhere))
    waiting.remove(work)
    return work


def _filed(result: Result, plans: Path) -> Result:
    """The result with the name of the file in the driver's folder."""
    names = library.listed(plans).get(result.key, [])
    return replace(result, file=names[0]) if names and not result.file else result


def _readable(plans: Path, name: str) -> bool:
    try:
        return bool(name) and load(plans / name) is not None
    except ConfigError:
        return False


def _gone(error: Exception) -> str:
    """What Ray says of a process that is gone: its own exception, where it could not start, is told last."""
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {said[-1 if 'creation task' in said[0] else 0] if said else 'the process is gone'}"


def _check_reachable(address: str) -> None:
    """Raise InputError for HOST:PORT where nothing answers: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address in ("auto", "local"):
        return
    try:
        if not port.isdecimal() or int(port) > MOST_PORT:
            raise ValueError("it is no HOST:PORT")
        socket.create_connection((host, int(port)), ANSWER).close()
    except (OSError, ValueError) as error:
        raise InputError(f"--ray {address}: no cluster answers ({error}); give HOST:PORT, auto or local") from error


def _worker_class(ray: Any, num_gpus: float) -> Any:
    """The class of the cluster's processes. It is made here, so that Ray carries its code over."""

    class Worker:
        """A process with a loaded ComfyUI."""

        def __init__(self, root: str, comfyui: str, arguments: list[str]):
            import tempfile

            sys.path.append(root)
            from scripts.fleet.comfy_process import ComfyProcess

            self.folder = Path(tempfile.mkdtemp(prefix="plans_"))
            self.process = ComfyProcess(Path(comfyui), self.folder, arguments)

        def learn(self, task: Task, known: dict[str, str]) -> tuple[list[Result], dict[str, bytes]]:
            """The results of a task, and the files that it has written, by name."""
            results = self.process.learn(task, known=known)
            files = {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
            for name in files:
                (self.folder / name).unlink()
            return results, files

    return ray.remote(num_gpus=num_gpus, num_cpus=1, max_restarts=0)(Worker)
