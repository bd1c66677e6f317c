"""Plans made from recorded runs of the very model, sampler and sigmas they are for."""

from .gaps import best_steps, first_gap
from .recording import Recorder, Recording
from .tracking import GAIN, REACH, Normal, Tracker

__all__ = ["GAIN", "REACH", "Normal", "Recorder", "Recording", "Tracker", "best_steps", "first_gap"]
