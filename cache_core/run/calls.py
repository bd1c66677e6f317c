"""Model calls underway. Each belongs to the thread that makes it: ComfyUI calls the model of each device from a
thread of its own."""

from dataclasses import dataclass, field
from threading import get_ident

from ..site import Kind
from .evaluation import Tally


@dataclass
class Call:
    """One call of the model. `streams`: those of its rows, in order. `tally`: its counts, which its evaluation gets at
    its end. `remembered`: sites whose value it has given to the run."""

    streams: tuple[int, ...]
    tally: Tally = field(default_factory=Tally)
    remembered: set[tuple[Kind, str]] = field(default_factory=set)

    def begin_again(self) -> None:
        """Forget the counts and sites of a call that is made once more."""
        self.tally = Tally()
        self.remembered.clear()


class Calls:
    """The calls underway, by thread; a call within another one of the same thread lies on top of it."""

    def __init__(self) -> None:
        self._of: dict[int, list[Call]] = {}

    @property
    def here(self) -> Call | None:
        """The call that this thread is in, if any."""
        stack = self._of.get(get_ident())
        return stack[-1] if stack else None

    def enter(self, call: Call) -> None:
        """This thread is in `call` from now on."""
        self._of.setdefault(get_ident(), []).append(call)

    def leave(self) -> None:
        """This thread's innermost call is over."""
        stack = self._of[get_ident()]
        stack.pop()
        if not stack:
            del self._of[get_ident()]

    def elsewhere(self) -> set[int]:
        """Streams of the calls of other threads: their values may be in use."""
        mine = get_ident()
        return {
            stream
            for thread, stack in list(self._of.items())
            if thread != mine
            for call in list(stack)
            for stream in call.streams
        }
