#!/usr/bin/env python3
"""Learn the plans of workflows without a page or a server.

    COMFYUI_DIR=DIR python3 scripts/learn.py WORKFLOW.json... [--plans DIR] [--dry-run] [-- COMFYUI'S ARGUMENTS]

Workflows are those that ComfyUI's page saves, or exports in API format. A plan is learned for each sampler whose model
has AB-Cache Apply or FEB-Cache Apply with learn on, or for each sampler (--everywhere). Only what the sampler needs is
run. Plans that are there are left alone, so that a run that was interrupted goes on when it is started again. --matrix
gives all combinations of values:

    --matrix size=1024x1024,1536x1024 steps=20,28 lora=style.safetensors:0.8,none

Other names are those of widgets, such as cfg, sampler_name or scheduler; they are set wherever a node has them. The
exit status is 1 where a plan could not be learned, 2 for bad input, before anything is sampled, and 130 for an
interrupt.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from scripts.environment import comfyui_interpreter  # noqa: E402
from scripts.fleet.errors import InputError  # noqa: E402

MOST_PICTURES = 64


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; what is behind `--` is ComfyUI's."""
    ours, theirs = list(arguments), []
    if "--" in ours:
        at = ours.index("--")
        ours, theirs = ours[:at], ours[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workflows", nargs="+", type=Path, metavar="WORKFLOW.json")
    parser.add_argument("--plans", type=Path, help="folder of the plans; ComfyUI's models/cache_plans if left out")
    parser.add_argument("--everywhere", action="store_true", help="AB-Cache before samplers that have no Apply node")
    parser.add_argument("--pictures", type=int, default=1, help="pictures to learn each plan from")
    parser.add_argument("--speedup", type=float, default=0.0, help="steps for each computed one: sets the preset")
    parser.add_argument("--matrix", nargs="+", action="extend", default=[], metavar="NAME=V1,V2")
    parser.add_argument("--dry-run", action="store_true", help="say what would be learned and what it costs")
    parser.add_argument("--report", type=Path, help="file for the report as JSON")
    parser.add_argument("--ray", metavar="auto|ADDRESS|local", help="learn on a Ray cluster")
    parser.add_argument("--workers", type=int, default=0, help="on Ray: processes; as many as there is room for if 0")
    parser.add_argument("--num-gpus", type=float, default=None, help="on Ray: cards of a worker; 1 if there are any")
    given = parser.parse_args(ours)
    given.comfyui_arguments = theirs
    return given


def folder_of(given: argparse.Namespace, comfyui: Path) -> Path:
    """The folder for plans. Raises InputError where nothing can be written there."""
    from cache_core.files import takes_files

    plans = (given.plans or comfyui / "models" / "cache_plans").absolute()
    if not takes_files(plans):
        raise InputError(f"--plans {plans}: no file can be written there")
    if given.report and not takes_files(given.report.absolute().parent):
        raise InputError(f"--report {given.report}: no file can be written there")
    return plans


def tasks(given: argparse.Namespace, process: Any) -> list:
    """All tasks, those of one model together. Raises InputError."""
    from cache_core.settings import ab, feb
    from scripts.fleet.tasks import Wanted, grouped, tasks_of

    presets = {"ABCacheApply": ab.LEARNED, "FEBCacheApply": feb.LEARNED}
    wanted = Wanted(given.matrix, given.everywhere, given.speedup, given.pictures, presets)
    return grouped([t for path in given.workflows for t in tasks_of(path, wanted, process.define, process.complaint)])


def run(given: argparse.Namespace) -> int:
    """Learn, and report. Raises InputError before anything is sampled."""
    from scripts.fleet import report
    from scripts.fleet import tasks as fleet_tasks
    from scripts.fleet.comfy_process import ComfyProcess

    if not 1 <= given.pictures <= MOST_PICTURES:
        raise InputError(f"--pictures {given.pictures}: give 1 to {MOST_PICTURES}")
    for path in given.workflows:
        fleet_tasks.read(path)
    comfyui, began = Path(os.environ.get("COMFYUI_DIR") or ROOT.parents[1]).absolute(), time.perf_counter()
    plans = folder_of(given, comfyui)
    cluster = None
    if given.ray and not given.dry_run:
        from scripts.fleet.on_ray import Cluster

        cluster = Cluster.joined(given.ray, given.workers, given.num_gpus)
    own = [*given.comfyui_arguments, "--cpu"] if cluster else given.comfyui_arguments  # workers have the cards
    process = ComfyProcess(comfyui, plans, own)
    wanted = tasks(given, process)
    if cluster:
        done = cluster.learned(wanted, comfyui, plans, given.comfyui_arguments)
    else:
        from scripts.fleet.serial import learned

        done = learned(process, wanted, given.dry_run)
    try:
        results, left = followed(done, wanted, given.dry_run)
    finally:
        if cluster:
            cluster.close()
    if given.report:
        from cache_core.files import write_atomically

        write_atomically(given.report, report.as_json(results, left, time.perf_counter() - began).encode())
    print(report.as_text(results, left))
    if given.dry_run:
        costs(wanted, results)
    return 130 if left else int(any(result.result in report.WRONG for result in results))


def followed(done: Iterator, wanted: list, dry: bool) -> tuple[list, list]:
    """The results, as they come, and the tasks that are left where the user interrupts; with a bar that tells the time
    left."""
    from tqdm import tqdm

    results, left, form = [], list(wanted), "{l_bar}{bar}| {n:.0f}/{total:.0f} steps [{elapsed}<{remaining}]"
    with tqdm(total=sum(task.cost for task in wanted), disable=dry, bar_format=form) as bar:
        try:
            for task, found in done:
                results += found
                left.remove(task)
                bar.update(task.cost)
        except KeyboardInterrupt:
            print("interrupted; what is done is kept", file=sys.stderr)
    return results, left


def costs(wanted: list, results: list) -> None:
    """Print what the plans cost that would be learned."""
    from scripts.fleet.report import WANTED, cost

    names = {result.name for result in results if result.result == WANTED}
    chosen = [task for task in wanted if task.name in names]
    for task in chosen:
        print(cost(task))
    total = sum(task.cost for task in chosen)
    print(f"{len(chosen)} plans, {sum(task.samplings for task in chosen)} samplings, about {total:g} computed steps")


def main(arguments: Sequence[str] | None = None) -> int:
    given = parsed(sys.argv[1:] if arguments is None else arguments)
    comfyui = os.environ.get("COMFYUI_DIR")
    if comfyui and find_spec("torch") is None:
        os.execv(python := comfyui_interpreter(Path(comfyui)), [python, __file__, *sys.argv[1:]])
    try:
        return run(given)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
