"""Plans made from recorded runs of the very model, sampler and sigmas they are for."""

from .ab import Calibrated, Request, calibrate
from .allowance import Allowance, Progress
from .bench import Bench, Watch
from .gaps import best_steps, first_gap
from .memo import Memo
from .recording import Recorder, Recording
from .tracking import GAIN, REACH, Normal, Tracker
from .trials import Trial

__all__ = ["GAIN", "REACH", "Allowance", "Bench", "Calibrated", "Memo", "Normal", "Progress", "Recorder", "Recording", "Request", "Tracker", "Trial",
           "Watch", "best_steps", "calibrate", "first_gap"]
