#!/usr/bin/env python3
"""The figures of the house as a table, one column for each checkout: docs/DESIGN_NOTES.md, "Figures of the house".

    python3 scripts/figures.py FOLDER...        for example a worktree of an older commit, and .

Python is counted in a copy that ruff has formatted at 120 columns, so that widths do not count. Needs ruff and mypy.
"""

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median

ROOMS = ("cache_core", "cache_core/calibrate", "nodes", "lab", "scripts", "tests")
SOURCE = ("cache_core", "nodes", "web/js")
BRANCHES = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.IfExp, ast.Assert, ast.match_case)
MYPY = ("--config-file=", "--python-version=3.10", "--ignore-missing-imports", "--no-incremental")


def files(folder: Path, room: str) -> list[Path]:
    """The Python and JavaScript files of a room."""
    return sorted(path for path in (folder / room).rglob("*") if path.suffix in (".py", ".js", ".mjs"))


def lines(paths: list[Path]) -> list[int]:
    return [len(path.read_text(encoding="utf-8").splitlines()) for path in paths]


def functions(paths: list[Path]) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in paths if path.suffix == ".py")
    return [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def complexity(function: ast.AST) -> int:
    """McCabe's number, as radon counts it: 1, and 1 more for each branch, loop, handler, comprehension and operand."""
    inner = list(ast.walk(function))
    operands = sum(len(node.values) - 1 for node in inner if isinstance(node, ast.BoolOp))
    conditions = sum(1 + len(node.ifs) for node in inner if isinstance(node, ast.comprehension))
    return 1 + operands + conditions + sum(isinstance(node, BRANCHES) for node in inner)


def spread(counts: list[int]) -> str:
    """Median, ninth decile and maximum."""
    return f"{median(counts):.0f} / {sorted(counts)[len(counts) * 9 // 10]} / {max(counts)}"


def mypy_errors(folder: Path) -> str:
    """Errors that mypy finds in cache_core and nodes, whatever the checkout's own configuration allows."""
    command = [sys.executable, "-m", "mypy", *MYPY, "cache_core", "nodes"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout.strip()
    last = said.splitlines()[-1] if said else "mypy did not run"
    return found[1] if (found := re.match(r"Found (\d+) error", last)) else last


def figures(folder: Path) -> Iterator[tuple[str, str]]:
    """Names and values, in a fixed order; `folder` is formatted."""
    for room in (*ROOMS, "web/js"):
        paths = files(folder, room)
        yield f"{room}: files, lines", f"{len(paths)}, {sum(lines(paths)):,}"
        yield f"{room}: lines of a file, median / p90 / max", spread(lines(paths))
        if room != "web/js":
            found = functions(paths)
            lengths = [f.end_lineno - f.lineno + 1 for f in found]
            numbers = [complexity(f) for f in found]
            above = sum(number > 10 for number in numbers)
            yield f"{room}: lines of a function, median / p90 / max", spread(lengths)
            yield f"{room}: complexity of a function, mean / above 10", f"{mean(numbers):.2f} / {above}"
    source, tests = (sum(sum(lines(files(folder, room))) for room in rooms) for rooms in (SOURCE, ("tests",)))
    yield "tests : source (cache_core, nodes, web/js)", f"{tests:,} : {source:,} = {tests / source:.2f}"
    yield "mypy: errors in cache_core and nodes", mypy_errors(folder)


def formatted(folder: Path, copy: Path) -> Path:
    """A copy of a checkout's rooms, formatted at 120 columns."""
    for room in ("cache_core", "nodes", "lab", "scripts", "tests", "web"):
        shutil.copytree(folder / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--isolated", "--no-cache", "--quiet", "--line-length=120", "--target-version=py310"]
    subprocess.run([sys.executable, "-m", "ruff", "format", *options, copy], check=True)
    return copy


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        columns = [dict(figures(formatted(Path(f), Path(place, str(i))))) for i, f in enumerate(sys.argv[1:])]
    print("\n".join(f"| {' | '.join((name, *(column[name] for column in columns)))} |" for name in columns[0]))
