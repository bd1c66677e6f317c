"""Plans made from recorded runs of the very model, sampler and sigmas they are for."""

from .bench import Bench, TrialWatch, Watch
from .gaps import best_steps, first_gap
from .recording import Recorder, Recording
from .tracking import GAIN, REACH, Normal, Tracker

__all__ = ["GAIN", "REACH", "Bench", "Normal", "Recorder", "Recording", "Tracker", "TrialWatch", "Watch", "best_steps", "first_gap"]
