"""The engine: schedule, site, predictor, corrector, and the run that joins them. No ComfyUI in here."""

from .clock import Timeline
from .corrector import NoiseScale, scale_noise
from .errors import CacheError, ConfigError, HostError
from .plan import Plan
from .predictor import Predictor
from .report import RunReport, report
from .run import Run
from .schedule import Adaptive, Frame, Interval, Released, Steps, Table, TwoStage, evenly, parse_steps
from .site import MODULES, OUTPUT, Kind

__all__ = ["MODULES", "OUTPUT", "Adaptive", "CacheError", "ConfigError", "Frame", "HostError", "Interval", "Kind", "NoiseScale", "Plan",
           "Predictor", "Released", "Run", "RunReport", "Steps", "Table", "Timeline", "TwoStage", "evenly", "parse_steps", "report",
           "scale_noise"]
