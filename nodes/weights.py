"""The full weights of a ComfyUI linear layer, LoRA and lowvram included."""

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
