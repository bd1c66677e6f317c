"""Plans made from recorded runs of the very model, sampler and sigmas they are for."""

from .ab import Calibrated, Request, calibrate, steps_from
from .allowance import Allowance, Progress
from .attempts import Attempt
from .bench import Bench, TrialWatch, Watch
from .gaps import best_steps, growth
from .memo import Memo
from .recording import Recorder, Recording
from .tracking import Normal, Tracker

__all__ = [
    "Allowance",
    "Attempt",
    "Bench",
    "Calibrated",
    "Memo",
    "Normal",
    "Progress",
    "Recorder",
    "Recording",
    "Request",
    "Tracker",
    "TrialWatch",
    "Watch",
    "best_steps",
    "calibrate",
    "growth",
    "steps_from",
]
