#!/usr/bin/env python3
"""Lint, format and types, then every test. Host tests run in processes of their own, on the interpreter of the ComfyUI
that is present: the scenario matrix beside all the others.

    python3 scripts/test.py [pytest arguments]
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from environment import ROOT, can_import, comfyui_interpreter, ensure

NEEDED = (
    *("torch", "safetensors", "einops", "PIL", "tqdm", "pytest", "hypothesis", "aiohttp"),
    *("comfyui_frontend_package", "ruff", "mypy"),
)
CHECKS = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))  # modules, with their arguments
MATRIX = "tests/host/scenarios"


def host_interpreter(python: str) -> str:
    """The interpreter for host tests: ComfyUI's, if there is one with pytest; `python` otherwise, where they are
    skipped with the reason."""
    folder = Path(os.environ.get("COMFYUI_DIR") or Path.home() / "comfy-lab" / "ComfyUI")
    if not (folder / "comfy").is_dir():
        return python
    found = comfyui_interpreter(folder)
    return found if can_import(found, ("pytest",)) else python


def main(arguments: list[str]) -> int:
    python = ensure(NEEDED)
    host = host_interpreter(python)
    steps = (
        *([python, "-m", *check] for check in CHECKS),
        [host, "-m", "pytest", "-W", "default", "tests/host", f"--ignore={MATRIX}", *arguments],
        [python, "-m", "pytest", "--ignore=tests/host", *arguments],
    )
    environment = {**os.environ, "COMFY_PYTHON": host}  # for the browser tests, which start a ComfyUI
    matrix = [host, "-m", "pytest", "-W", "default", MATRIX, *arguments]
    with tempfile.TemporaryFile("w+") as said:
        beside = subprocess.Popen(
            matrix, cwd=ROOT, env={**environment, "OMP_NUM_THREADS": "1"}, stdout=said, stderr=subprocess.STDOUT
        )
        failed = [command for command in steps if subprocess.run(command, cwd=ROOT, env=environment).returncode]
        failed += [matrix] if beside.wait() else []
        said.seek(0)
        print(said.read())
    for command in failed:
        print("failed:", " ".join(command[1:]), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
