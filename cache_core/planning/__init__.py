"""Plans from outputs that are known beforehand: which steps to compute, and by which weights to predict the others."""

from .prior import prior_fits, prior_steps
from .steering import Normal, Steering
from .steps import best_steps, computed_steps, growth, least_steps, planned_steps
