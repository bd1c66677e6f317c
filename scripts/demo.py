#!/usr/bin/env python3
"""See what the nodes do: the first picture is learned from, the next ones are fast.

A small FLUX draws the same seeds uncached, with AB-Cache and FEB-Cache as they have learned from one picture, with
presets before that, and, for as many model runs as AB-Cache takes, in fewer steps and by plain reuse.

    python3 scripts/demo.py                          on its own, in an environment it makes if needed
    python3 scripts/demo.py --model flux             procedural scenes instead of drawings
    python3 scripts/demo.py --model hunyuan_video    clips instead of pictures: an animated picture
    python3 scripts/demo.py --comfyui DIR            in the ComfyUI checkout DIR, by its KSampler and this pack's nodes

Writes out/report.json and out/compare.png (or .webp): beside each picture its difference from the uncached one,
times 8.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from environment import ROOT, comfyui_interpreter, ensure

PICTURES = {"flux_drawings": 5, "flux": 5, "hunyuan_video": 3}  # by model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--comfyui",
        type=Path,
        metavar="DIR",
        default=os.environ.get("COMFYUI_DIR") or None,
        help="a ComfyUI checkout (default: COMFYUI_DIR, if set)",
    )
    parser.add_argument("--model", choices=tuple(PICTURES), default="flux_drawings")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--pictures", type=int, help="how many seeds (default: 5 pictures, or 3 clips)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each setting is timed; the median counts")
    parser.add_argument("--out", type=Path, default=ROOT / "out")
    args = parser.parse_args()
    python = (
        comfyui_interpreter(args.comfyui) if args.comfyui else ensure(("torch", "safetensors", "einops", "PIL", "tqdm"))
    )
    pictures = args.pictures or PICTURES[args.model]
    command = [
        python,
        "-m",
        "lab.demo",
        f"--model={args.model}",
        f"--steps={args.steps}",
        f"--pictures={pictures}",
        f"--rounds={args.rounds}",
        f"--out={args.out.resolve()}",
    ]
    if args.comfyui:
        command.append(f"--comfyui={args.comfyui.resolve()}")
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}  # waiting threads cost no CPU seconds
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
