#!/usr/bin/env python3
"""The lab's measurements, in an environment it makes if needed.

    python3 scripts/lab.py quality [--models flux hunyuan_video] [--steps 50 28]    writes lab/results/quality.json
    python3 scripts/lab.py feb [--models flux hunyuan_video] [--steps 50 28]        writes lab/results/feb.json
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from environment import ROOT, ensure

MEASUREMENTS = ("quality", "distribution", "feb", "memory", "sweep", "overhead", "blocks")


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in MEASUREMENTS:
        print(f"{__doc__}\nMeasurements: {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    python = ensure(("torch", "safetensors", "einops", "PIL", "tqdm"))
    return subprocess.run([python, "-m", f"lab.{arguments[0]}", *arguments[1:]], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
