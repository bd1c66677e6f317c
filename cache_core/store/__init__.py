"""What a run keeps, in which form, and whether it fits."""

from .rung import Budget, Footprint, Rung, coarser, ladder, megabytes, whole
from .store import Full, Key, Store

__all__ = ["Budget", "Footprint", "Full", "Key", "Rung", "Store", "coarser", "ladder", "megabytes", "whole"]
