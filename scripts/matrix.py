#!/usr/bin/env python3
"""Run the scenario matrix and keep what came of it in lab/results/compatibility.json; then `scripts/make_tables.py`
writes docs/COMPATIBILITY.md.

    python3 scripts/matrix.py [--failed] COMFYUI_DIR...

`--failed`: only the cells that did not pass the last time. Two processes for each checkout, on the interpreter of
that ComfyUI, which needs pytest.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parent))
from environment import ROOT, comfyui_interpreter

RESULTS = ROOT / "lab" / "results" / "compatibility.json"
MATRIX = "tests/host/scenarios"
HALVES = (["-k", "FLUX or Wan"], ["-k", "not FLUX and not Wan"])


def version_of(folder: Path) -> str:
    """The version of a checkout."""
    return re.search(r'"(.+?)"', (folder / "comfyui_version.py").read_text())[1]


def started(folder: Path, python: str, half: list[str], into: Path) -> subprocess.Popen:
    """One half of the matrix, in a process of its own that writes `into`."""
    command = [
        python,
        "-m",
        "pytest",
        "-W",
        "default",
        *([MATRIX] if half[0] == "-k" else []),
        *half,
        f"--junitxml={into}",
    ]
    environment = {**os.environ, "COMFYUI_DIR": str(folder), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment)


def outcomes(report: Path) -> dict[str, str]:
    """`passed`, or `failed` or `skipped` with the reason, by the name of each cell in a JUnit report."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name, cell = re.match(r"(\w+)(?:\[(.*)\])?", case.get("name")).groups()
        if name == "test_cell":
            wrong = next((part for part in case if part.tag in ("failure", "error", "skipped")), None)
            found[cell] = (
                "passed"
                if wrong is None
                else f"{'skipped' if wrong.tag == 'skipped' else 'failed'}: {wrong.get('message', '')[:200]}"
            )
    return found


def kept() -> dict[str, dict]:
    """What earlier runs found, by version."""
    return json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}


def left(version: str) -> list[list[str]]:
    """The tests of the cells that failed, in two halves."""
    tests = [
        f"{MATRIX}/test_matrix.py::test_cell[{cell}]"
        for cell, outcome in kept()[version]["cells"].items()
        if outcome.startswith("failed")
    ]
    return [half for half in (tests[::2], tests[1::2]) if half]


def run(folder: Path, halves: Sequence[list[str]]) -> dict:
    """The outcome of the cells in `halves`, and on what they ran."""
    python = comfyui_interpreter(folder)
    with tempfile.TemporaryDirectory() as temporary:
        reports = [Path(temporary) / f"{i}.xml" for i in range(len(halves))]
        processes = [started(folder, python, half, report) for half, report in zip(halves, reports, strict=True)]
        for process in processes:
            process.wait()
        cells = {cell: outcome for report in reports for cell, outcome in outcomes(report).items()}
    code = "import platform, torch; print(platform.python_version(), torch.__version__)"
    on = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return {"date": str(date.today()), "python": on[0], "torch": on[1], "cells": cells}


def main(arguments: list[str]) -> int:
    folders, failed = [Path(a).expanduser().resolve() for a in arguments if a != "--failed"], 0
    for folder in folders:
        version = version_of(folder)
        found = run(folder, left(version) if "--failed" in arguments else HALVES)
        if "--failed" in arguments:
            found["cells"] = {**kept()[version]["cells"], **found["cells"]}
        bad = [cell for cell, outcome in found["cells"].items() if outcome.startswith("failed")]
        failed += len(bad)
        print(f"ComfyUI {version}: {len(found['cells'])} cells, failed: {', '.join(bad) or 'none'}")
        RESULTS.write_text(json.dumps({**kept(), version: found}, indent=1, sort_keys=True) + "\n")
    return 1 if failed or not folders else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
