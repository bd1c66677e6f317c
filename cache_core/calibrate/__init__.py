"""Plans made from recorded runs of the very model, sampler and sigmas they are for."""

from .ab import Calibrated, Request, calibrate, steps_from
from .allowance import Allowance, Progress
from .bench import Bench, Watch
from .gaps import best_steps, growth
from .memo import Memo
from .recording import Recorder, Recording
from .tracking import Normal, Tracker
from .trials import Trial

__all__ = ["Allowance", "Bench", "Calibrated", "Memo", "Normal", "Progress", "Recorder", "Recording", "Request", "Tracker", "Trial", "Watch",
           "best_steps", "calibrate", "growth", "steps_from"]
