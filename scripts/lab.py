#!/usr/bin/env python3
"""The lab's measurements, in an environment it makes if needed.

    python3 scripts/lab.py quality                               all that calibration claims; hours, can be resumed
    python3 scripts/lab.py NAME [--models flux hunyuan_video]    one measurement alone

Each is kept in lab/results.
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from environment import ROOT, ensure

TOGETHER = ("quality", "shifts", "ablation", "feb", "distribution")  # what `quality` measures
MEASUREMENTS = ("settings", *TOGETHER, "sound", "memory", "sweep", "overhead", "blocks", "rivals")


def commands(arguments: list[str]) -> list[list[str]]:
    """What to run for these arguments."""
    if arguments == ["quality"]:
        return [["-m", f"lab.{name}"] for name in TOGETHER] + [["scripts/make_tables.py"]]
    return [["-m", f"lab.{arguments[0]}", *arguments[1:]]]


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in MEASUREMENTS:
        print(f"{__doc__}\nMeasurements: {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    python = ensure(("torch", "safetensors", "einops", "PIL", "tqdm"))
    return max(subprocess.run([python, *command], cwd=ROOT).returncode for command in commands(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
