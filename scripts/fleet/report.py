"""What came of learning plans, as JSON and as text."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from .tasks import Task

LEARNED, KNOWN, WANTED = "learned", "known", "would be learned"
NOTHING, FAILED, ERROR, LEFT = "nothing to learn", "failed", "error", "left"
WRONG = (FAILED, ERROR)  # results that make the exit status 1


@dataclass(frozen=True)
class Result:
    """What came of one plan. `file`: of the plan; `error`: class of the exception, where there was one; `tries`: how
    often it was begun; `seconds`: of the last one."""

    name: str
    result: str
    key: str = ""
    file: str = ""
    reason: str = ""
    steps: int = 0
    seconds: float = 0.0
    error: str = ""
    tries: int = 1


def as_json(results: Sequence[Result], left: Sequence[Task], seconds: float) -> str:
    """The report of a run that took so many seconds; `left`: tasks that nothing was done for."""
    rows = [asdict(result) for result in (*results, *(Result(task.name, LEFT, tries=0) for task in left))]
    for row in rows:
        row["seconds"] = round(row["seconds"], 2)
    return json.dumps({"counts": counts(results, left), "seconds": round(seconds, 1), "plans": rows}, indent=1) + "\n"


def counts(results: Sequence[Result], left: Sequence[Task]) -> dict[str, int]:
    """How many plans have which result, and how many were tried again."""
    found = Counter(result.result for result in results)
    found[LEFT] += len(left)
    found["tried again"] += sum(result.tries > 1 for result in results)
    return {name: number for name, number in found.items() if number}


def line(result: Result) -> str:
    """A plan's line of the text."""
    again = f", {result.tries} tries" if result.tries > 1 else ""
    told = "; ".join(filter(None, (result.file, result.reason)))
    return f"{result.result}{again}: {result.name}" + (f" ({told})" if told else "")


def as_text(results: Sequence[Result], left: Sequence[Task]) -> str:
    """A line for each plan, and one for all."""
    lines = [line(result) for result in results] + [f"{LEFT}: {task.name}" for task in left]
    total = ", ".join(f"{number} {name}" for name, number in counts(results, left).items())
    return "\n".join([*lines, total or "no plan"])


def cost(task: Task) -> str:
    """A task's line of a dry run: its samplings, and the steps that are computed, about."""
    steps = f"about {task.cost:g} computed steps" if task.steps else "steps not known before it runs"
    pictures = "1 picture" if task.pictures == 1 else f"{task.pictures} pictures"
    return f"{task.name}: {pictures}, {task.samplings} samplings, {steps}"
