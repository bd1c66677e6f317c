"""Schedules: functions from a timeline to a table of computed steps, and rules that decide during the run."""

from .adaptive import Adaptive
from .edited import Edited, changed, differences, format_edits, parse_edits
from .indicator import Added, Displacement, Filtered, Foreseen, Indicator, Modulated, Probe
from .interval import Frame, Interval, Steps, evenly
from .layer_lists import format_layer_lists, json_object, parse_layer_lists
from .online import Online
from .released import Released
from .steps_text import format_steps, parse_steps
from .table import Table, everything, from_steps, nest, side_by_side
from .table_at import TableAt, at_share
from .two_stage import TwoStage

Schedule = Interval | Steps | TwoStage | Released | Edited | Adaptive | Online | TableAt
