"""The settings that the demo compares: what a user would set on the nodes."""

from dataclasses import dataclass, field

from cache_core import Plan, Timeline
from cache_core.settings import CUSTOM, ABSettings, FEBSettings


@dataclass(frozen=True)
class Setting:
    """One row: a name for the table, and the node with its preset and moved widgets. `node` None is uncached."""

    name: str
    node: str | None = None
    preset: str = CUSTOM
    widgets: dict = field(default_factory=dict)

    def plans(self, timeline: Timeline) -> tuple[Plan, ...]:
        """What the node makes of its widgets for this sampling."""
        kinds = {"ABCacheApply": ABSettings, "FEBCacheApply": FEBSettings}
        return (kinds[self.node].of(self.preset, self.widgets).plan(timeline),) if self.node else ()


def _ab(name: str, preset: str = CUSTOM, **widgets: object) -> Setting:
    return Setting(f"AB-Cache {name}", "ABCacheApply", preset, widgets)


def _feb(name: str, preset: str = CUSTOM, **widgets: object) -> Setting:
    return Setting(f"FEB-Cache {name}", "FEBCacheApply", preset, widgets)


UNCACHED = Setting("uncached")
SETTINGS = (
    UNCACHED,
    _ab("quality", "quality"),
    _ab("balanced", "balanced"),
    _ab("plain reuse, as often as balanced", order=1),
    _ab("interval 6", interval=6),
    _ab("fast", "fast"),
    _ab("tolerance 0.2", interval=8, warmup_steps=3, tolerance=0.2),
    _ab("paper", "paper"),
    _feb("quality", "quality"),
    _feb("balanced", "balanced"),
    _feb("fast", "fast"),
    _feb("fast, order 2", "fast", predictor="order 2"),
    _feb("every 4th step, both kinds", attention_interval=4, mlp_interval=4, fragile_interval=4, warmup_steps=8),
    _feb("stage rule, computed as often", attention_interval=6, mlp_interval=6, fragile_interval=3, warmup_steps=8),
    _feb("stage rule, fragile kind fresh", warmup_steps=8),
    _feb("paper's table, no scaling", table="released"),
    _feb("paper", "paper"),
)
