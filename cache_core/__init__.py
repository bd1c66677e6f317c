"""The engine, without ComfyUI: schedules, sites, predictors, the noise scale, and the run that joins them."""

from .errors import CacheError, ConfigError, HostError
from .noise_scale import NoiseScale, scale_noise
from .plan import Plan
from .predictor import Extrapolation
from .run.run import Run
from .schedule import Adaptive, Frame, Interval, Released, Steps, Table, TwoStage, evenly, parse_steps
from .show.report import RunReport, report
from .site import MODULES, OUTPUT, Kind
from .timeline import Timeline
