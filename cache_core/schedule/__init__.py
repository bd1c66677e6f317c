"""When to compute: functions from a timeline to a table, and one rule that decides during the run."""

from .adaptive import Adaptive
from .interval import Frame, Interval, Steps, evenly, parse_steps
from .planned import Planned
from .released import Released
from .table import Table, everything, from_steps, nest, side_by_side
from .two_stage import TwoStage

Schedule = Interval | Steps | TwoStage | Released | Adaptive | Planned

__all__ = ["Adaptive", "Frame", "Interval", "Planned", "Released", "Schedule", "Steps", "Table", "TwoStage", "evenly", "everything", "from_steps",
           "nest", "parse_steps", "side_by_side"]
