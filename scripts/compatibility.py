"""The tables of docs/COMPATIBILITY.md, from the rows of the matrix, what came of them, and the list of the peers'
bugs."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "host")]
SHORT = {"FEB-Cache Apply": "FEB", "AB-Cache Apply": "AB"}


def results() -> dict[str, dict]:
    """What `scripts/matrix.py` kept, by version of ComfyUI, oldest first."""
    kept = json.loads((ROOT / "lab" / "results" / "compatibility.json").read_text())
    return dict(sorted(kept.items(), key=lambda pair: tuple(map(int, pair[0].split(".")))))


def runs() -> str:
    """What ran when, on which versions."""
    lines = [
        "| ComfyUI | torch | Python | date | cells | passed | failed | not in this version |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for version, found in results().items():
        outcomes = [outcome.split(":")[0] for outcome in found["cells"].values()]
        counts = " | ".join(str(outcomes.count(outcome)) for outcome in ("passed", "failed", "skipped"))
        lines.append(
            f"| {version} | {found['torch']} | {found['python']} | {found['date']} | {len(outcomes)} | {counts} |"
        )
    return "\n".join(lines)


class Notes:
    """Numbered reasons, each given once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, reason: str) -> str:
        return f"<sup>{self.numbers.setdefault(reason, len(self.numbers) + 1)}</sup>"

    def __str__(self) -> str:
        return "\n".join(f"{number}. {reason}" for reason, number in self.numbers.items())


def outcome(cell: str, kept: dict[str, dict], notes: Notes) -> str:
    """A cell's mark: empty where it passed in every version that has it, else what there is to say."""
    said = {version: found["cells"].get(cell, "failed: it was not run") for version, found in kept.items()}
    marks = [
        notes.mark(f"{what.partition(': ')[2].removeprefix('Skipped: ')} ({version})")
        for version, what in said.items()
        if what != "passed"
    ]
    failed = any(what.startswith("failed") for what in said.values())
    return ("**fails**" if failed else "") + "".join(marks)


def matrix() -> str:
    """The scenarios: each cell names the nodes that passed, the others have a note."""
    from scenarios.row import NODES
    from scenarios.rows import PARTS
    from scenarios.scene import FAMILIES

    kept, notes, lines = results(), Notes(), []
    for part, rows in PARTS.items():
        lines += [
            "",
            f"### {part}",
            "",
            f"| scenario | source | what happens | {' | '.join(FAMILIES)} |",
            "|---" * (3 + len(FAMILIES)) + "|",
        ]
        for row in rows:
            cells = []
            for family in FAMILIES:
                reasons = [row.reason(family, node) for node in NODES]
                if all(reasons) and len(set(reasons)) == 1:
                    cells.append(f"–{notes.mark(reasons[0])}")
                else:
                    cells.append(
                        ", ".join(
                            f"–{notes.mark(why)}"
                            if why
                            else SHORT[node] + outcome(f"{row.id}-{family}-{node}", kept, notes)
                            for node, why in zip(NODES, reasons, strict=True)
                        )
                    )
            lines.append(f"| {row.id} | {row.source} | {row.does} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "Notes:", "", str(notes)])


def peers() -> str:
    """Bugs of other packs, and the tests of ours that would have caught them."""
    lines = ["| bug | seen in | caught by |", "|---|---|---|"]
    for bug in json.loads((ROOT / "tests" / "peer_bugs.json").read_text()):
        tests = "<br>".join(f"`{test}`" for test in bug["tests"])
        lines.append(f"| {bug['bug']} | {bug['seen']} | {tests} |")
    return "\n".join(lines)
