"""Tasks one after the other, in this process."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .comfy_process import ComfyProcess
from .report import Result
from .tasks import Task


def learned(process: ComfyProcess, tasks: Sequence[Task], dry: bool = False) -> Iterator[tuple[Task, list[Result]]]:
    """Each task with its results. Ends early, after what is done, where the user interrupts."""
    with interruptible(process.interrupt) as interrupted:
        for task in tasks:
            try:
                results = process.learn(task, dry)
            except KeyboardInterrupt:
                return
            yield task, results
            if interrupted:
                return


@contextmanager
def interruptible(stop: Callable[[], Any]) -> Iterator[list[int]]:
    """A list that is empty until the user interrupts; then `stop` is called. A second time ends the process as usual:
    asyncio would let a running node end first."""
    seen: list[int] = []

    def note(number: int, frame: Any) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)
        stop()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
