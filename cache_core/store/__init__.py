"""What a run keeps, in which form, and whether it fits."""

from .eight_bit import share
from .rung import Budget, Footprint, Rung, coarser, ladder, megabytes, whole
from .store import Full, Key, Store
from .transfer import OutOfMemory, afforded
