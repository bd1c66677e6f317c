"""The overhead of learning plans on a local Ray: equal plans, on processes that have their ComfyUI loaded.

    COMFYUI_DIR=DIR python3 -m tests.stress.fleet [--tasks 12] [--workers 2]

Writes lab/results/fleet.json. `overhead`: the time that the tasks take, times the processes, over the seconds that they
take inside the processes: 1 where nothing is lost. `serial_seconds`: of the same tasks one after the other in this
process; with fewer free cores than processes these take longer. Needs ComfyUI's interpreter, with ray.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from scripts.fleet.comfy_process import ComfyProcess
from scripts.fleet.on_ray import Cluster
from scripts.learn import parsed, tasks

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "host"))
RESULTS = ROOT / "lab" / "results" / "fleet.json"
STEPS = 28


def measured(comfyui: Path, folder: Path, count: int, workers: int) -> dict:
    """The times of `count` equal tasks on so many processes, and in this one."""
    from fleet import base, put, workflow

    (file,) = put(folder, equal=workflow("wan", steps=STEPS))
    arguments = ("--base-directory", str(base(folder)), "--cpu")
    own = ComfyProcess(comfyui, folder / "serial", arguments)
    guidances = ",".join(f"{2 + number / 10:g}" for number in range(count + workers))
    wanted = tasks(parsed([str(file), "--matrix", f"cfg={guidances}"]), own)
    own.learn(wanted[0])
    began = time.perf_counter()
    for task in wanted[workers:]:
        own.learn(task)
    serial = time.perf_counter() - began
    cluster = Cluster.joined("local", workers, 0.0)
    list(cluster.learned(wanted[:workers], comfyui, folder / "plans", arguments))  # loads ComfyUI
    began = time.perf_counter()
    found = [
        result for _, each in cluster.learned(wanted[workers:], comfyui, folder / "plans", arguments) for result in each
    ]
    wall = time.perf_counter() - began
    cluster.close()
    inside = sum(result.seconds for result in found)
    return {
        "tasks": count,
        "workers": workers,
        "cores": os.cpu_count(),
        "results": sorted({result.result for result in found}),
        "seconds": round(wall, 2),
        "seconds_inside": round(inside, 2),
        "serial_seconds": round(serial, 2),
        "overhead": round(wall * workers / inside, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(os.environ["COMFYUI_DIR"]), Path(folder), given.tasks, given.workers)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
