"""Damaged plan files, names that lead elsewhere, any request for a preview, any values for the nodes' widgets: is
each answered with words?

    python3 -m tests.stress.fuzz [--plans 10000] [--inputs 3000]

Writes lab/results/fuzz.json: for each group the inputs tried, how many were accepted, the failures, the CPU seconds
of the slowest one and the memory of the largest, as Python allocates it (a plan's tensors are no larger than its
file, 1 MB). A failure is anything but a result or the pack's own error, with words; a file outside the folder of
plans that was read, written or removed; an answer that is no JSON; more than 5 CPU seconds or 200 MB. The inputs are
the same each time.
"""

import argparse
import json
import random
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from unittest import mock

from hypothesis import strategies as st

from lab.in_comfyui import ROOT, load_pack

from .fuzz_inputs import each, requests, sigmas, widgets
from .fuzz_names import furnish, names, outside
from .fuzz_plans import as_bytes, damaged, whole

RESULTS = ROOT / "lab" / "results" / "fuzz.json"
SLOW = 5.0  # CPU seconds
MOST_MEGABYTES = 200
FEWEST_WORDS, MOST_LETTERS = 3, 1200  # of an error


@dataclass
class Tally:
    """What came of one group of inputs."""

    tried: int = 0
    accepted: int = 0
    slowest: float = 0.0
    largest_mb: float = 0.0
    failures: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)

    def judge(self, what: str, work: Callable[[], object], allowed: type[Exception]) -> None:
        """Count one input, described by `what`."""
        self.tried += 1
        tracemalloc.start()
        started = time.process_time()
        try:
            work()
            self.accepted += 1
        except allowed as error:
            if len(str(error).split()) < FEWEST_WORDS:
                self.failures.append(f"{what}: an error without words: {error!r}")
            if len(str(error)) > MOST_LETTERS:
                self.failures.append(f"{what}: an error of {len(str(error))} letters: {str(error)[:200]}")
        except Exception as error:
            self.failures.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
        seconds, megabytes = time.process_time() - started, tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        self.slowest, self.largest_mb = max(self.slowest, round(seconds, 2)), max(self.largest_mb, round(megabytes, 1))
        if megabytes > MOST_MEGABYTES:
            self.failures.append(f"{what}: {megabytes:.0f} MB")
        if seconds > SLOW:
            self.slow.append(f"{what}: {seconds:.1f} CPU seconds")


class Fuzz:
    """`pack`: as ComfyUI loads it. `root`: an empty folder to work in. Each method tries one group of inputs."""

    def __init__(self, pack: ModuleType, root: Path):
        self.core, self.library, self.routes, self.request, settings, cached = (
            of_pack(pack, name)
            for name in (
                "cache_core",
                "nodes.comfy.plan_folder",
                "nodes.page.routes",
                "nodes.page.request",
                "cache_core.settings.saved",
                "cache_core.saved_plan.saved_plan",
            )
        )
        self.nodes, self.Settings = pack.NODE_CLASS_MAPPINGS, settings.SavedPlanSettings
        self.plan = cached.model_plan((0, 9), self.core.Timeline.even(10).sigmas, cached.Origin("Flux"))
        self.root, self.folder = root, furnish(root, as_bytes(*whole(random.Random(0))))

    def ready(self) -> None:
        """Import and fill what every input needs, which is not what an input takes."""
        with mock.patch.object(self.library, "folders", return_value=[self.folder]):
            self.use_file("kept.safetensors")
            each(widgets(self.nodes["FEBCacheApply"].INPUT_TYPES()), 3, lambda drawn: None)

    def all(self, plans: int, inputs: int) -> dict[str, Tally]:
        with mock.patch.object(self.library, "folders", return_value=[self.folder]):
            return {
                "plan files": self.plan_files(plans),
                "plan names": self.plan_names(),
                "preview requests": self.requests(inputs),
                "node widgets": self.widgets(inputs),
            }

    def plan_files(self, count: int) -> Tally:
        """Damaged files, each loaded, and used if it can be, and asked for by the preview."""
        tally, path = Tally(), self.folder / "damaged.safetensors"
        for seed in range(count):
            change, content = damaged(seed)
            path.write_bytes(content)
            tally.judge(f"seed {seed}, {change}", lambda: self.use_file(path.name), self.core.ConfigError)
        path.unlink()
        return tally

    def use_file(self, name: str) -> None:
        self.use(self.library.read(name))
        self.ask(asking(name))

    def use(self, plan: object) -> None:
        """The nodes' work with a plan before they sample. Raises ValueError for a plan from a forbidden place."""
        if plan.origin.model == "Leak":
            raise ValueError("a file outside the folder was read")
        if not (plan.text().isprintable() or "\n" in plan.text()) or not 0.1 < plan.speedup < 2000:
            raise ValueError(f"a plan says of itself {plan.text()!r}")
        for timeline in (self.core.Timeline.flow(plan.sigmas), self.core.Timeline.even(20), self.core.Timeline.even(3)):
            self.core.Run((self.Settings("plan", plan).plan(timeline),), timeline)

    def plan_names(self) -> Tally:
        """Names, each loaded, looked at, saved to and asked for. No file outside the folder may be touched."""
        tally, before = Tally(), outside(self.root, self.folder)
        for name in names(self.folder):
            for what, work in self.uses(name).items():
                tally.judge(f"{what} {name[:60]!r}", work, self.core.ConfigError)
                if outside(self.root, self.folder) != before:
                    tally.failures.append(
                        f"{what} {name[:60]!r}: a file outside the folder was made, changed or removed"
                    )
                    before = outside(self.root, self.folder)
        listed = self.library.available()
        tally.judge(
            "list",
            lambda: [self.use(self.library.read(name)) for name in listed if not name.startswith("bundled/")],
            self.core.ConfigError,
        )
        return tally

    def uses(self, name: str) -> dict[str, Callable[[], object]]:
        """Each way in which the nodes and the page take a name."""
        load, save = self.nodes["CachePlanLoad"], self.nodes["CachePlanSave"]
        return {
            "load": lambda: self.use(load().load(name)[0]),
            "look at": lambda: load.IS_CHANGED(name),
            "read": lambda: self.use(self.library.read(name)),
            "save": lambda: save().save(self.plan, name),
            "ask": lambda: self.ask(asking(name)),
        }

    def requests(self, count: int) -> Tally:
        """Requests for a preview: a status and an answer that is JSON, with words where it is an error."""
        tally = Tally()
        nodes = {cls: self.nodes[cls].INPUT_TYPES() for cls in self.request.SETTINGS}
        each(
            requests(nodes),
            count,
            lambda body: tally.judge(f"request {body[:300]!r}", lambda: self.ask(body), self.core.ConfigError),
        )
        return tally

    def ask(self, body: bytes) -> None:
        """Raises ConfigError, as the other groups' work does, for an answer that is an error."""
        status, answer = self.routes.answer(body)
        json.dumps(answer, allow_nan=False)
        if "error" in answer and status in (200, 400):
            raise self.core.ConfigError(answer["error"])
        if status != 200 or not answer["steps"]:
            raise ValueError(f"status {status}, {answer}")

    def widgets(self, count: int) -> Tally:
        """Widgets of the Apply nodes, as settings, as a plan for some sampling, and as a run."""
        tally = Tally()
        for cls, kind in self.request.SETTINGS.items():
            each(
                st.tuples(widgets(self.nodes[cls].INPUT_TYPES()), sigmas()),
                count // 2,
                lambda drawn, kind=kind: tally.judge(
                    f"{kind.__name__} {str(drawn)[:300]}", lambda: self.run(kind, *drawn), self.core.ConfigError
                ),
            )
        return tally

    def run(self, kind: type, widgets: dict, sigmas: tuple[float, ...]) -> None:
        timeline = self.core.Timeline(sigmas, tuple(sigma / sigmas[0] for sigma in sigmas[:-1]))
        others = {name: value for name, value in widgets.items() if name != "preset"}
        self.core.Run((kind.of(widgets.get("preset", "custom"), others).plan(timeline),), timeline)


def of_pack(pack: ModuleType, name: str) -> ModuleType:
    """A module of the pack, as it was loaded."""
    return import_module(f"{pack.__name__}.{name}")


def asking(name: str) -> bytes:
    """A request for a preview of the plan of this name."""
    return json.dumps({"class": "ABCacheApply", "plan": {"name": name}}).encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plans", type=int, default=10_000)
    parser.add_argument("--inputs", type=int, default=3000)
    args = parser.parse_args()
    pack = load_pack()
    with tempfile.TemporaryDirectory() as root:
        fuzz = Fuzz(pack, Path(root))
        fuzz.ready()
        tallies = fuzz.all(args.plans, args.inputs)
    RESULTS.write_text(
        json.dumps({"rows": [{"group": name, **asdict(tally)} for name, tally in tallies.items()]}, indent=1) + "\n"
    )
    print(RESULTS.read_text())
    return 1 if any(tally.failures or tally.slow for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
