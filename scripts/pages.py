#!/usr/bin/env python3
"""Run the tests of the page on several front ends, and print what came of it: front end x rendering.

    python3 scripts/pages.py COMFYUI_DIR FRONT_END_DIR [COMFYUI_DIR FRONT_END_DIR ...] [-- pytest arguments]

A front end's folder is the `static` of its package; `-` is the one that this ComfyUI comes with. The tests run on the
interpreter of that ComfyUI, which needs pytest, one front end after the other; what pytest says goes to
out/web/FRONT_END.log, and the counts of all tests to lab/results/pages.json, from which make_tables.py writes
docs/COMPATIBILITY.md.
"""

import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))
from environment import ROOT, comfyui_interpreter

LOGS = ROOT / "out" / "web"
KEPT = ROOT / "lab" / "results" / "pages.json"
ON = re.compile(r"^ComfyUI (\S+), front end (.+)$", re.MULTILINE)  # as tests/web/conftest.py says it
COUNTS = re.compile(r"^(.+): (\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
FAILED = re.compile(r"^(?:FAILED|ERROR) .*", re.MULTILINE)
HEAD = ("front end", "ComfyUI", "rendering", "passed", "failed", "skipped", "date")


def said(comfyui: Path, front_end: str, arguments: Sequence[str]) -> str:
    """What pytest says of the tests of the page on this front end."""
    python = comfyui_interpreter(comfyui)
    own = {} if front_end == "-" else {"COMFY_FRONTEND": str(Path(front_end).expanduser().resolve())}
    environment = {**os.environ, "COMFYUI_DIR": str(comfyui), "COMFY_PYTHON": python, "OMP_NUM_THREADS": "1", **own}
    command = [python, "-B", "-m", "pytest", "-W", "default", "--tb=short", *(arguments or ["tests/web"])]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True).stdout


def rows(text: str) -> list[tuple[str, ...]]:
    """Of what pytest said the cells of a table, a rendering each; none where it did not come to its end."""
    on, today = ON.search(text), datetime.date.today().isoformat()
    return [(on[2], on[1], *found, today) for found in COUNTS.findall(text)] if on else []


def table(lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (HEAD, ["---"] * len(HEAD), *lines))


def keep(lines: Sequence[Sequence[str]]) -> None:
    """Put the rows of a front end in the place of older ones of it."""
    old = json.loads(KEPT.read_text())["rows"] if KEPT.exists() else []
    new = {(line[0], line[1]) for line in lines}
    rows = sorted([*map(list, lines), *(row for row in old if (row[0], row[1]) not in new)], key=lambda row: row[0])
    KEPT.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


def kept(text: str, lines: Sequence[Sequence[str]]) -> Path:
    """Where what pytest said is kept."""
    log = LOGS / f"{lines[0][0] if lines else 'broken'}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)
    return log.relative_to(ROOT)


def main(arguments: list[str]) -> int:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    given, rest, found, broken = arguments[:at], arguments[at + 1 :], [], 0
    if not given or len(given) % 2:
        sys.exit(__doc__)
    for folder, front_end in zip(given[::2], given[1::2], strict=True):
        text = said(Path(folder).expanduser().resolve(), front_end, rest)
        lines = rows(text)
        print(*FAILED.findall(text), kept(text, lines), sep="\n", flush=True)
        if not rest:
            keep(lines)
        found, broken = found + lines, broken + (not lines or lines[0][0] == "none")  # no page was opened
    print(table(found))
    return 1 if broken or any(int(line[HEAD.index("failed")]) for line in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
