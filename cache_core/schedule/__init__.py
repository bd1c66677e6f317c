"""When to compute: functions from a timeline to a table, and one rule that decides during the run."""

from .adaptive import Adaptive
from .edited import Edited, changed, differences, format_edits, parse_edits
from .interval import Frame, Interval, Steps, evenly, format_steps, parse_steps
from .released import Released
from .table import Table, everything, from_steps, nest, side_by_side
from .table_at import TableAt
from .two_stage import TwoStage

Schedule = Interval | Steps | TwoStage | Released | Edited | Adaptive | TableAt

__all__ = [
    "Adaptive",
    "Edited",
    "Frame",
    "Interval",
    "TableAt",
    "Released",
    "Schedule",
    "Steps",
    "Table",
    "TwoStage",
    "changed",
    "differences",
    "evenly",
    "everything",
    "format_edits",
    "format_steps",
    "from_steps",
    "nest",
    "parse_edits",
    "parse_steps",
    "side_by_side",
]
