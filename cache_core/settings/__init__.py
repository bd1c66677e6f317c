"""Settings of the nodes: checked, frozen, and turned into a plan once the sampling is known."""

from .ab import ABSettings
from .feb import FEBSettings
from .presets import CUSTOM
from .widgets import Settings, WidgetSettings
