"""A ComfyUI model's weights: read in full, LoRA and lowvram included, or told apart from others'."""

from hashlib import sha256

PLAIN = ("float16", "bfloat16", "float32", "float64")


def full_weights(linear, x):
    """Weight and bias, cast for `x`. Raises TypeError for weights that cannot be sliced (quantised, packed or scaled): the
    mount then falls back to the attention kernel."""
    kind = str(linear.weight.dtype).removeprefix("torch.")
    if type(linear.weight).__name__ not in ("Parameter", "Tensor") or kind not in PLAIN or getattr(linear, "scale_weight", None) is not None:
        raise TypeError(f"weights of type {type(linear.weight).__name__}, {kind} cannot be sliced")
    if not hasattr(linear, "weight_function"):
        return linear.weight, linear.bias
    from comfy.ops import cast_bias_weight

    return cast_bias_weight(linear, x)[:2]


def fingerprint(patcher, tensors: int = 64) -> str:
    """A name for the weights of a ModelPatcher's diffusion model and the patches on them: the same on every machine and in every run.

    A few values of `tensors` parameters are looked at, as they are without patches, and a few of every patch, with its strengths.
    """
    made = sha256()
    named = sorted(patcher.model.diffusion_model.named_parameters(), key=lambda pair: pair[0])
    for name, weight in named[:: max(1, len(named) // tensors)]:
        backup = patcher.backup.get(f"diffusion_model.{name}")  # while a LoRA is in the weights, they are kept here
        _digest(made, (name, weight if backup is None else backup.weight))
    for key in sorted(patcher.patches, key=str):
        _digest(made, (str(key), patcher.patches[key]))
    return made.hexdigest()


def digest(value) -> str:
    """A name for a value that consists of numbers, words, tensors, and what holds them: the same on every machine and in every run."""
    made = sha256()
    _digest(made, value)
    return made.hexdigest()


def _digest(made, value, values: int = 64) -> None:
    """Add to what is digested; a few values of each tensor."""
    if isinstance(value, str | int | float | type(None)):
        made.update(repr(value).encode())
    elif isinstance(value, list | tuple):
        for part in value:
            _digest(made, part)
    elif isinstance(value, dict):
        for key in sorted(value, key=str):
            _digest(made, (str(key), value[key]))
    elif hasattr(value, "flatten"):
        made.update(f"{tuple(value.shape)} {value.dtype}".encode())
        made.update(_some(value, values))
    else:
        made.update(type(value).__name__.encode())
        _digest(made, getattr(value, "weights", None))


def _some(tensor, values: int) -> bytes:
    """Bytes of a few values, evenly taken; none of a tensor that cannot be read that way, such as a packed one of another pack."""
    import torch

    try:
        flat = tensor.detach().flatten()
        return flat[:: max(1, len(flat) // values)][:values].cpu().contiguous().view(torch.uint8).numpy().tobytes()
    except (RuntimeError, NotImplementedError, TypeError):
        return b""
