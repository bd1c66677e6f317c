"""A contest of caches on one model: the same seeds, at equal computed work, beside fewer steps."""

from .entrants import Entrant, Score, fewer_sigmas, kept_as
from .scores import ranked, table_text, winner
