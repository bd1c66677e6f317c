"""How long a library of plan files takes to list, to look up and to prune.

    python3 -m lab.library [--plans 10000]

Writes lab/results/library.json. Times are of this machine and its own disk; a network's file system is slower. A
look-up is one of a key, `known`: in a folder that has not changed since the last one, `changed`: in one that has,
`first`: the first one of a process. `names`: the system's own listing of the changed folder, which no look-up there can
do without, as there is no index.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from cache_core.files import write_atomically
from cache_core.predictor import Fit
from cache_core.saved_plan import library
from cache_core.saved_plan.file import load, save
from cache_core.saved_plan.saved_plan import Origin, SavedPlan
from cache_core.schedule import TableAt, from_steps
from cache_core.site import OUTPUT

RESULTS = Path(__file__).resolve().parent / "results" / "library.json"
STEPS, COMPUTED = 28, (0, 1, 2, 5, 8, 12, 16, 20, 24, 27)
LOOKUPS = 20
DAY = 86400.0


def plan(steps: int = STEPS, computed: tuple[int, ...] = COMPUTED) -> SavedPlan:
    """A plan such as FLUX learns: a third of its steps computed, with fits for the others."""
    sigmas = tuple(1 - step / steps for step in range(steps + 1))
    fits = tuple(Fit(sigmas[step], sigmas[step - 3 : step][::-1], (1.5, -0.75, 0.25)) for step in range(3, steps))
    return SavedPlan(
        Origin("Flux", "0" * 16, "euler", 4096, 1, "2026-01-01"),
        TableAt(from_steps(OUTPUT, computed, steps), sigmas),
        fits,
    )


def filled(folder: Path, count: int) -> int:
    """Put so many plans into a folder, half of them a hundred days old; the bytes of one."""
    save(plan(), folder / "first.safetensors")
    content = (folder / "first.safetensors").read_bytes()
    (folder / "first.safetensors").unlink()
    for number in range(count):
        path = folder / f"model-{number % 40}_euler_28-steps_{number:016x}.safetensors"
        path.write_bytes(content)
        if number % 2:
            os.utime(path, (time.time() - 100 * DAY,) * 2)
    return len(content)


def took(work: Callable[[], Any]) -> float:
    """Milliseconds of some work."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def measured(folder: Path, count: int) -> dict[str, Any]:
    """Milliseconds of each kind of work on a folder of so many plans."""
    size = filled(folder, count)
    keys = [f"{number * 7919 % count:016x}" for number in range(LOOKUPS)]
    every = took(lambda: library.all_files([folder]))
    changed, names, first = [], [], []
    for number, key in enumerate(keys):
        write_atomically(folder / f"new_{count + number:016x}.safetensors", b"")
        changed.append(took(lambda key=key: library.found([folder], key)))
        names.append(took(lambda: os.listdir(folder)))
    for key in keys:
        library._listings.clear()  # as in a new process
        first.append(took(lambda key=key: library.found([folder], key)))
    for number in range(LOOKUPS):
        (folder / f"new_{count + number:016x}.safetensors").unlink()
    time.sleep(library.SETTLED + 0.1)
    library.listed(folder)
    known = [took(lambda key=key: library.found([folder], key)) for key in keys]
    path = library.found([folder], keys[0])[0]
    reads = [took(lambda: load(path)) for _ in range(LOOKUPS)]
    stale: list[Path] = []
    found = took(lambda: stale.extend(library.stale(folder, days=30)))
    deleted = took(lambda: [each.unlink() for each in stale])
    return {
        "plans": count,
        "bytes_of_a_plan": size,
        "list_ms": round(every, 1),
        "look_up_known_ms": round(median(known), 3),
        "look_up_changed_ms": round(median(changed), 2),
        "names_ms": round(median(names), 2),
        "look_up_first_ms": round(median(first), 1),
        "read_ms": round(median(reads), 2),
        "find_stale_ms": round(found, 1),
        "delete_stale_ms": round(deleted, 1),
        "stale": len(stale),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plans", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), given.plans)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
