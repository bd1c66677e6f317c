"""The values that a run keeps, their form, and their budget."""

from .eight_bit import coded_fraction
from .rung import Budget, Footprint, Rung, coarser, ladder, megabytes, whole
from .store import Full, Key, Store
from .transfer import OutOfMemory, afforded
