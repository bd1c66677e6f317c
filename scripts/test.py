#!/usr/bin/env python3
"""Lint, then every test. Host tests run in a process of their own, on the interpreter of the ComfyUI that is present.

    python3 scripts/test.py [pytest arguments]
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from environment import ROOT, can_import, comfyui_interpreter, ensure

NEEDED = ("torch", "safetensors", "einops", "PIL", "tqdm", "pytest", "hypothesis", "ruff")


def host_interpreter(python: str) -> str:
    """The interpreter for host tests: ComfyUI's, if there is one with pytest; `python` otherwise, where they are skipped with the reason."""
    folder = Path(os.environ.get("COMFYUI_DIR") or Path.home() / "comfy-lab" / "ComfyUI")
    if not (folder / "comfy").is_dir():
        return python
    found = comfyui_interpreter(folder)
    return found if can_import(found, ("pytest",)) else python


def main(arguments: list[str]) -> int:
    python = ensure(NEEDED)
    host = host_interpreter(python)
    steps = ([python, "-m", "ruff", "check", "."],
             [host, "-m", "pytest", "-W", "default", "tests/host", *arguments],
             [python, "-m", "pytest", "--ignore=tests/host", *arguments])
    environment = {**os.environ, "COMFY_PYTHON": host}  # for the browser tests, which start a ComfyUI
    failed = [command for command in steps if subprocess.run(command, cwd=ROOT, env=environment).returncode]
    for command in failed:
        print("failed:", " ".join(command[1:]), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
