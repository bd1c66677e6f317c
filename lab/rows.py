"""The settings that the demo compares: what a user would set on the nodes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count, islice

from cache_core import Plan, Timeline, evenly
from cache_core.schedule import format_steps
from cache_core.settings import CUSTOM, ABSettings, FEBSettings, WidgetSettings
from cache_core.settings.ab import LEARNED
from cache_core.settings.foreseen import computed_steps

from .families import Family

CLEAR = (37, 13, 7, 18, 59)  # seeds of clear drawings, chosen by the uncached ones alone


@dataclass(frozen=True)
class Setting:
    """One row: a name for the table, and the node with its preset and moved widgets. `node` None is uncached.

    `learn`: the node learns a plan from the first picture. `steps`: sampled in so many steps; 0 = in those of the
    other rows. `shown`: in the demo's picture, not in its table alone.
    """

    name: str
    node: str | None = None
    preset: str = CUSTOM
    widgets: dict = field(default_factory=dict)
    learn: bool = False
    steps: int = 0
    shown: bool = False

    @property
    def settings(self) -> WidgetSettings | None:
        """The node's settings; None where there is no node."""
        kinds: dict[str | None, type[WidgetSettings]] = {"ABCacheApply": ABSettings, "FEBCacheApply": FEBSettings}
        if self.node is None:
            return None
        return kinds[self.node].of(self.preset, {**self.widgets, **({"learn": True} if self.learn else {})})

    def plans(self, timeline: Timeline) -> tuple[Plan, ...]:
        """What the node makes of its widgets for this sampling, before it has learned."""
        return (self.settings.plan(timeline),) if self.settings else ()


def _ab(name: str, preset: str = CUSTOM, **widgets: object) -> Setting:
    return Setting(f"AB-Cache {name}", "ABCacheApply", preset, widgets)


def _feb(name: str, preset: str = CUSTOM, **widgets: object) -> Setting:
    return Setting(f"FEB-Cache {name}", "FEBCacheApply", preset, widgets)


def demo_settings(steps: int) -> tuple[Setting, ...]:
    """The demo's rows: uncached, plans learned from the first picture, presets before that, and what else could be
    had for the model runs of AB-Cache's `balanced`."""
    runs = computed_steps(steps, LEARNED["balanced"])
    even = format_steps(evenly(steps, runs))
    return (
        replace(UNCACHED, shown=True),
        _learned(_ab, "quality"),
        _learned(_ab, "balanced", shown=True),
        _learned(_ab, "fast"),
        _learned(_feb, "balanced", shown=True),
        _learned(_feb, "fast"),
        _ab("balanced, nothing learned", "balanced"),
        _feb("balanced, nothing learned", "balanced"),
        Setting("fewer steps, equal work", steps=runs, shown=True),
        replace(_ab("", order=1, computed_steps=even), name="plain reuse, equal work", shown=True),
    )


def seeds_of(family: Family, pictures: int) -> list[int]:
    """Seeds of the pictures that the demo compares: of drawings the clear ones first, else from 0 on."""
    chosen = CLEAR if family.drawn else ()
    others = (seed for seed in count() if seed not in chosen)
    return [*chosen, *islice(others, pictures)][:pictures]


def _learned(node: Callable[..., Setting], preset: str, shown: bool = False) -> Setting:
    return replace(node(f"{preset}, learned", preset), learn=True, shown=shown)


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
