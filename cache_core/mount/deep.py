"""The deep part of a U-Net as one site: what its way up passes on to the blocks that run at every step."""

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ..hosts import Blocks, UNet, blocks_of, submodule
from ..run.run import Run
from ..site import MODULES, Kind
from .block import MountedBlock
from .scoped import Forward

Forwards = list[tuple[nn.Module, Forward]]
BLOCK = "block"  # transformer option: the block that runs, as ("input", 3)
BETWEEN = ("input_block_patch", "input_block_patch_after_skip", "output_block_patch")  # patches; the options come last
IN_PLACE_OF_LAYERS = "forward_timestep_embed_patch"


class Deep:
    """The blocks of a U-Net from `first` on its way down, the middle, and their mirror images on the way up, for plans
    that only ever predict attention and MLP together. Its value is the output of the last of them
    `(B, C, H, W)`, which is no residual: the next block reads it beside the outputs of its mirror image.

    In a predicted call the layers of these blocks pass on a pixel `(B, 1, 1, 1)`, so that the model's own code joins
    and hands on as many outputs as ever; the last layer returns the predicted value. Neither ControlNet's residuals nor
    patches of other nodes reach the skipped blocks.

    `sound` turns False when the blocks turn out not to work like this. `misfit`: True in a call whose predicted value
    has another size than the model has there; the call is computed.
    """

    rests = False  # the first and the last blocks always run
    _value: Tensor | None  # predicted, or computed
    _control: list[tuple[list, list]]  # ControlNet's lists as given to the model, and what was in them

    def __init__(self, model: nn.Module, unet: UNet, first: int, run: Run):
        self.run, self.model, self.first, self.path = run, model, first, unet.down
        self.site, self.sound, self.compiled, self.misfit = f"{unet.down}.{first}", True, False, False
        down, up = (blocks_of(model, Blocks(path, ())) for path in (unet.down, unet.up))
        middle = submodule(model, unet.middle)
        deep = [*down[first:], *([middle] if middle is not None else []), *up[: len(up) - first]]
        layers = [layer for block in deep for layer in _layers(block)]
        self.skipped = len(layers)
        self.layers = self.skipped + sum(len(_layers(block)) for block in (*down[:first], *up[len(up) - first :]))
        self.ends = {"input": (first, len(down)), "middle": (0, 1), "output": (0, len(up) - first)}
        self._own: Forward = model.forward
        self._keeping: Forwards = [(layers[-1], self._keep(layers[-1].forward))]
        self._predicting: Forwards = [
            (model, self._enter),
            (layers[0], self._first(layers[0].forward)),
            *((layer, self._pass(layer.forward)) for layer in layers[1:-1]),
            (layers[-1], self._last(layers[-1].forward)),
        ]
        self.drop()

    def begin(self) -> Forwards:
        """Decide for the coming model call: the forwards that predict, that keep, or none."""
        self.drop()
        predicted = self.run.predicts(Kind.BLOCKS, self.site)
        counter = self.run.tally.predicted_calls if predicted else self.run.tally.computed_calls
        for kind in MODULES:
            counter[kind] += self.skipped
        if predicted:
            self._value = self.run.predict(Kind.BLOCKS, self.site)
            return self._predicting
        self._kept = self.run.keeps(Kind.BLOCKS) or self.run.measured.open
        return self._keeping if self._kept else []

    def end(self) -> None:
        """After the model call: its value goes to the run."""
        if self.misfit:
            self._recount()
        if self._kept and self._times != 1:
            self.give_up(f"its blocks run {self._times} times in a call")
        elif self._kept and self._value is not None:
            self.run.remember(Kind.BLOCKS, self.site, self._value)

    def drop(self) -> None:
        """Hold no tensor any more."""
        self._value, self._control = None, []
        self._times, self._kept, self.misfit = 0, False, False

    def give_up(self, reason: str) -> None:
        """Predict no more from the next call on."""
        self.sound = False
        self.run.bar(MODULES, f"{self.path} ({reason}): attention and mlp are computed")

    def _recount(self) -> None:
        """The blocks were computed in place of predicted."""
        tally = self.run.tally
        for kind in MODULES:
            tally.predicted_calls[kind] -= self.skipped
            tally.computed_calls[kind] += self.skipped
        tally.predicted_calls[Kind.BLOCKS] -= 1
        self.run.note_new_shapes()

    # Forwards
    # ---------------------------------------------------------------------------------------------------------------

    def _keep(self, original: Forward) -> Forward:
        def forward(*args: Any, **kwargs: Any) -> Any:
            out = original(*args, **kwargs)
            self._times += 1
            with self.run.outside():
                self._value = out.clone()  # the next block's patches may write into it
            return out

        return forward

    def _first(self, original: Forward) -> Forward:
        def forward(x: Tensor, *args: Any, **kwargs: Any) -> Any:
            value = self._value
            self.misfit = value is None or x.shape[0] != value.shape[0] or x.shape[2:] != value.shape[2:]
            if not self.misfit:
                return x.new_zeros(x.shape[0], 1, *(1 for _ in x.shape[2:]))
            for given, whole in self._control:
                given[:] = whole[: len(given)]
            return original(x, *args, **kwargs)

        return forward

    def _pass(self, original: Forward) -> Forward:
        def forward(x: Tensor, *args: Any, **kwargs: Any) -> Any:
            return original(x, *args, **kwargs) if self.misfit else x

        return forward

    def _last(self, original: Forward) -> Forward:
        def forward(x: Tensor, *args: Any, **kwargs: Any) -> Any:
            return original(x, *args, **kwargs) if self.misfit else self._value

        return forward

    def _enter(self, *args: Any, **kwargs: Any) -> Any:
        """The model's forward in a predicted call, without what others do to the skipped blocks."""
        call = inspect.signature(self._own).bind(*args, **kwargs)
        if call.arguments.get("control") is not None:
            call.arguments["control"] = self._withheld(call.arguments["control"])
        options = call.arguments.get("transformer_options")
        if options and options.get("patches"):
            call.arguments["transformer_options"] = self._gated(options)
        return self._own(*call.args, **call.kwargs)

    def _withheld(self, control: dict) -> dict:
        """ControlNet's residuals, None for each skipped block. The model takes the first block's from the end."""
        held = dict(control)
        for name, (start, stop) in self.ends.items():
            whole = list(control.get(name) or [])
            given = [None if start <= len(whole) - 1 - i < stop else r for i, r in enumerate(whole)]
            if name in control:
                held[name] = given
                self._control.append((given, whole))
        return held

    def _gated(self, options: dict) -> dict:
        """Transformer options whose patches leave the skipped blocks alone."""
        patches = dict(options["patches"])
        for name in (name for name in BETWEEN if name in patches):
            patches[name] = [self._gate(patch) for patch in patches[name]]
        if IN_PLACE_OF_LAYERS in patches:
            patches[IN_PLACE_OF_LAYERS] = [(kind, self._layer(patch)) for kind, patch in patches[IN_PLACE_OF_LAYERS]]
        return {**options, "patches": patches}

    def _skips(self, options: dict) -> bool:
        """True if the block that runs is one that is skipped."""
        name, place = options.get(BLOCK, ("", 0))
        start, stop = self.ends.get(name, (0, 0))
        return not self.misfit and start <= place < stop

    def _gate(self, patch: Callable[..., Any]) -> Callable[..., Any]:
        def gated(*args: Any) -> Any:
            *given, options = args
            return (given[0] if len(given) == 1 else tuple(given)) if self._skips(options) else patch(*args)

        return gated

    def _layer(self, patch: Callable[..., Any]) -> Callable[..., Any]:
        def gated(layer: nn.Module, x: Tensor, emb: object, context: object, options: dict, *rest: Any) -> Any:
            return layer.forward(x) if self._skips(options) else patch(layer, x, emb, context, options, *rest)

        return gated


class MountedUNet:
    """A U-Net in the place of a list of blocks: its deep part, where the run merges."""

    rests = False

    def __init__(self, model: nn.Module, unet: UNet, first: int, run: Run):
        self.path, self.blocks = unet.down, list[MountedBlock]()
        self.stack = Deep(model, unet, first, run)
        self.began: Deep | None = None
        run.sites |= dict.fromkeys(MODULES, self.stack.layers)
        run.note(f"{self.stack.skipped} of {self.stack.layers} layers of the U-Net are reused together")

    def begin(self, run: Run) -> Forwards:
        """The forwards for the coming model call."""
        self.began = self.stack if self.stack.sound and run.merged else None
        return self.began.begin() if self.began else []


def _layers(block: nn.Module) -> list[nn.Module]:
    """The layers of a block, in their order."""
    return list(block.children())
