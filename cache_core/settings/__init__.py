"""What the nodes can be told, checked, frozen, and turned into a plan once the sampling is known."""

from .ab import ABSettings
from .feb import FEBSettings
from .presets import CUSTOM

__all__ = ["CUSTOM", "ABSettings", "FEBSettings"]
