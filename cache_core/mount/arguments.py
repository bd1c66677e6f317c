"""The arguments of a block's calls, by name."""

import inspect
from typing import Any

from torch import nn

from .scoped import Forward

OPTIONS = "transformer_options"


class Arguments:
    """Places of the arguments of a block's own forward, by name."""

    def __init__(self, forward: Forward):
        self.places = {name: place for place, name in enumerate(inspect.signature(forward).parameters)}

    def value(self, name: str | int, args: tuple, kwargs: dict) -> Any:
        """The argument of this name or place."""
        return kwargs[name] if name in kwargs else args[name if isinstance(name, int) else self.places[name]]

    def with_named_options(self, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """The same arguments, with the transformer options, where they come last, given by name."""
        place = self.places.get(OPTIONS)
        return (args[:place], {**kwargs, OPTIONS: args[place]}) if place == len(args) - 1 else (args, kwargs)


class Aside:
    """Forwards of a list's blocks that pass calls aside, on to the blocks' own: those whose stream `(B, L, C)`, the
    argument `stream`, is all prefix, as the number in the argument `prefix` says. A model that keeps keys and values of
    tokens that stay as they are runs its blocks on them apart, once."""

    def __init__(self, blocks: list[nn.Module], stream: str | int, prefix: str):
        self._stream, self._prefix = stream, prefix
        self._own = {block: (block.forward, Arguments(block.forward)) for block in blocks}
        self._made: dict[tuple[nn.Module, Forward], Forward] = {}

    def passing(self, forwards: list[tuple[nn.Module, Forward]]) -> list[tuple[nn.Module, Forward]]:
        """The same forwards, those of the blocks themselves with their calls aside passed on."""
        return [(module, self._passing(module, forward)) for module, forward in forwards]

    def _passing(self, block: nn.Module, forward: Forward) -> Forward:
        own, arguments = self._own.get(block, (None, None))
        if own is None or arguments is None or self._prefix not in arguments.places:
            return forward  # of a part of a block, or of a block that knows no prefix
        if (block, forward) not in self._made:
            self._made[block, forward] = self._make(own, arguments, forward)
        return self._made[block, forward]

    def _make(self, own: Forward, arguments: Arguments, forward: Forward) -> Forward:
        def passing(*args: Any, **kwargs: Any) -> Any:
            length = arguments.value(self._stream, args, kwargs).shape[1]
            aside = arguments.value(self._prefix, args, kwargs) == length
            return own(*args, **kwargs) if aside else forward(*args, **kwargs)

        return passing
