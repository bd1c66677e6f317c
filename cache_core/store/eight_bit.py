"""Values in 8 bits: half the bytes of bf16, for an error of about one per cent."""

import torch
from torch import Tensor

FP8 = getattr(torch, "float8_e4m3fn", torch.int8)  # storage only: no device has to compute in it
GROUP = 64  # features of a token that share a scale: a few outlying ones spoil their neighbours only


def quantise(value: Tensor, codes: torch.dtype) -> tuple[Tensor, Tensor]:
    """Codes `(..., C)` of `value` `(..., C)`, in type `codes` (torch.int8 or FP8), and float32 scales `(..., C / 64)`,
    or `(..., 1)` if 64 does not divide C: `code = value / scale`, `scale = max |value| of the group / largest code`."""
    top = torch.iinfo(codes).max if codes == torch.int8 else torch.finfo(codes).max
    groups = value.unflatten(-1, (-1, _group(value.shape[-1]))).float()
    scale = (groups.abs().amax(-1, keepdim=True) / top).clamp_min(torch.finfo(torch.float32).tiny)
    scaled = groups / scale
    coded = (scaled.round_() if codes == torch.int8 else scaled).clamp_(-top, top).to(codes)
    return coded.flatten(-2), scale.squeeze(-1)


def dequantise(codes: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """Value `(..., C)` in `dtype` of `codes` `(..., C)` and `scale` `(..., groups)`: `code * scale`."""
    groups = codes.unflatten(-1, (scale.shape[-1], -1)).float()
    return groups.mul_(scale.unsqueeze(-1)).flatten(-2).to(dtype)


def held(codes: torch.dtype, device: torch.device) -> torch.dtype:
    """Number type of codes on `device`: `codes`, or int8 where it cannot hold fp8."""
    return torch.int8 if device.type == "mps" else codes


def coded_fraction(width: int, element_size: int) -> float:
    """Bytes of a coded token of `width` features, relative to those of a plain one."""
    return (1 + 4 / _group(width)) / element_size


def _group(width: int) -> int:
    return width if width % GROUP else GROUP
