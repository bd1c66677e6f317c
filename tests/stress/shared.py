"""Two real ComfyUI servers on one folder of plans: does one use what the other learned, and is a file ever damaged?

    python3 -m tests.stress.shared --comfyui DIR [--queues 40]

Writes lab/results/shared.json. Each server queues the same settings in an order of its own, at the same time, so that
both learn and read. A picture must be the uncached one or that by the plan, as on a server with a folder of its own.
Needs ComfyUI's interpreter (COMFY_PYTHON, or one beside the checkout).
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cache_core.saved_plan import library
from scripts.environment import comfyui_interpreter

from .server import ROOT, defaults, queue, result, serving
from .soak import AB, LEARNS, NODES, outcome, prompt

RESULTS = ROOT / "lab" / "results" / "shared.json"
WRONG = ("Traceback", "cannot be read", "could not be saved")  # in a server's log


@contextmanager
def sharing(comfyui: Path, python: str, base: Path, plans: Path) -> Iterator[str]:
    """The address of a server in the folder `base` that has `plans` as its folder of plans."""
    config = base.with_suffix(".yaml")
    config.write_text(json.dumps({"shared": {"base_path": str(plans), "cache_plans": "."}}))  # JSON is YAML, too
    packs = {"cloned": ROOT, NODES.name: NODES}
    extra = ("--extra-model-paths-config", str(config), "--cache-none")  # the same prompt is sampled again
    with serving(comfyui, python, base, packs, extra, templates=False) as url:
        yield url


def prompts(url: str, guidances: Sequence[float]) -> list[dict]:
    """Prompts that differ in guidance, each for a plan of its own."""
    widgets = {AB: defaults(url, AB)}
    made = [prompt("wan", LEARNS, widgets) for _ in guidances]
    for each, guidance in zip(made, guidances, strict=True):
        each["2"]["inputs"]["cfg"] = guidance
    return made


def twice(guidances: Sequence[float]) -> list[float]:
    """Each guidance two times in a row: plans are learned as long as they are used."""
    return [each for each in guidances for _ in range(2)]


def order(guidances: Sequence[float], queues: int, seed: int) -> list[float]:
    """So many guidances: each twice in a shuffled order, then any."""
    chance = random.Random(seed)
    first = twice(chance.sample(list(guidances), len(guidances)))
    return (first + [chance.choice(list(guidances)) for _ in range(queues)])[:queues]


def pictures(url: str, guidances: Sequence[float]) -> list[str]:
    """Digests of the pictures of a queue, in its order; the error in place of one that failed."""
    found = [outcome(result(url, each)) for each in queue(url, prompts(url, guidances))]
    return [row.get("sha256", row.get("text", "")) for row in found]


def shared(comfyui: Path, python: str, folder: Path, queues: int) -> dict:
    """What came of `queues` prompts on each of two servers, beside one with a folder of its own."""
    guidances = [1.5 + 0.5 * number for number in range(max(2, queues // 8))]
    own, plans = folder / "own_plans", folder / "plans"
    for path in (own, plans):
        path.mkdir()
    with sharing(comfyui, python, folder / "alone", own) as url:
        alone = pictures(url, twice(guidances))
    allowed = {g: (alone[2 * n], alone[2 * n + 1]) for n, g in enumerate(guidances)}
    with ExitStack() as servers:
        urls = [servers.enter_context(sharing(comfyui, python, folder / name, plans)) for name in ("a", "b")]
        told, *learned = pictures(urls[0], twice([9.0]))
        used = pictures(urls[1], [9.0])
        orders = [order(guidances, queues, seed) for seed in range(2)]
        queued = [queue(url, prompts(url, each)) for url, each in zip(urls, orders, strict=True)]
        found = [
            [outcome(result(url, each)).get("sha256", "failed") for each in ids]
            for url, ids in zip(urls, queued, strict=True)
        ]
    rows = [row for each in zip(orders, found, strict=True) for row in zip(*each, strict=True)]
    checked = list(library.checked(library.all_files([plans])))
    logs = "".join((folder / name / "log").read_text() for name in ("a", "b"))
    return {
        "queues": queues,
        "settings": len(guidances),
        "used_at_its_first_queue": used == learned != [told],
        "other_pictures": sum(digest not in allowed[guidance] for guidance, digest in rows),
        "by_plan": sum(digest == allowed[guidance][1] for guidance, digest in rows),
        "plans": len(checked),
        "damaged": sum(bool(each.problem) for each in checked),
        "leftovers": sum(path.suffix != library.SUFFIX for path in plans.iterdir()),
        "complaints": sum(logs.count(word) for word in WRONG),
    }


def failures(found: dict) -> list[str]:
    """What is wrong with the results, by name."""
    wrong = [name for name in ("other_pictures", "damaged", "leftovers", "complaints") if found[name]]
    return wrong + ([] if found["used_at_its_first_queue"] else ["used_at_its_first_queue"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comfyui", type=Path, required=True)
    parser.add_argument("--queues", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = shared(given.comfyui, comfyui_interpreter(given.comfyui), Path(folder), given.queues)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))
    return 1 if failures(found) else 0


if __name__ == "__main__":
    sys.exit(main())
