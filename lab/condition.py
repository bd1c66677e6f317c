"""Class numbers as FLUX conditions: they stand in for text."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from .scenes import CLASSES

TOKENS, VECTOR = 4, 16
UNCONDITIONAL = len(CLASSES)  # the class dropped in training, for true classifier-free guidance


def condition(labels: Tensor, width: int = VECTOR) -> tuple[Tensor, Tensor]:
    """Context `(B, 4, 32)` and pooled vector `(B, width)` of class numbers `(B,)`, one-hot, so `txt_in` is the class
    embedding."""
    vector = torch.nn.functional.one_hot(labels, VECTOR).float()
    place = torch.eye(TOKENS, VECTOR).to(vector).expand(len(labels), -1, -1)
    return torch.cat([vector[:, None].expand(-1, TOKENS, -1), place], -1), pad(vector, (0, width - VECTOR))
