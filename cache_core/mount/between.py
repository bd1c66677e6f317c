"""Writes into the streams of a model between two of its blocks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode
from torch.utils._pytree import tree_leaves

Streams = list[Tensor]


class Between(TorchDispatchMode):
    """Streams that a block has returned, each copied before the first operation that writes into it.

    ComfyUI samples in inference mode, where tensors count no versions, so that writes have to be seen when they
    happen. This sees the operations between two blocks, which are few or none; while a block runs it is off.
    `outside`: the context in which copies are made.
    """

    supports_higher_order_operators = True

    def __init__(self, outside: Callable[[], AbstractContextManager[object]]):
        super().__init__()
        self._outside = outside
        self._watched: list[Streams] = []
        self._on = False

    def left(self, streams: Streams) -> None:
        """A block has returned `streams`, each `(B, L, C)`. Before a write, copies replace them in the list."""
        self._watched.append(streams)
        if not self._on:
            self._on = True
            self.__enter__()

    def reached(self, streams: Streams) -> None:
        """The next block of the list that returned `streams` begins. Those of other lists are copied: it may write
        into them unseen."""
        watched, self._watched = self._watched, []
        for other in watched:
            if other is not streams:
                self._copy(other)
        self.stop()

    def stop(self) -> None:
        """Watch nothing. Where another pack has put a mode on top of this one, that one stays and this one idles."""
        self._watched = []
        if self._on and _get_current_dispatch_mode() is self:
            self._on = False
            self.__exit__(None, None, None)

    def __torch_dispatch__(
        self, operation: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        written = {_memory(x) for x in _written(operation, args, kwargs or {})} if self._watched else set()
        for streams in self._watched if written else ():
            if any(_memory(x) in written for x in streams):
                self._copy(streams)
        return operation(*args, **(kwargs or {}))

    def _copy(self, streams: Streams) -> None:
        with self._outside():
            streams[:] = [x.clone() for x in streams]


def _memory(x: Tensor) -> int | None:
    """Address of a tensor's storage; None if it only stands for others, as a quantised weight does."""
    try:
        return x.untyped_storage().data_ptr()
    except RuntimeError:
        return None


def _written(operation: Callable, args: tuple, kwargs: dict) -> Iterator[Tensor]:
    """The tensors that an operation writes into, by its schema; all that it is given if it has none."""
    schema = getattr(operation, "_schema", None)
    if schema is None:
        yield from (x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor))
        return
    for place, spec in enumerate(schema.arguments):
        if spec.alias_info is not None and spec.alias_info.is_write:
            value = args[place] if place < len(args) else kwargs.get(spec.name)
            yield from (x for x in (value if isinstance(value, list | tuple) else [value]) if isinstance(x, Tensor))
