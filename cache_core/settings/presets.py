"""One set of values from a preset and the widgets beside it."""

from collections.abc import Mapping
from typing import Any

from ..errors import check_choice

MOST_WARMUP = 100  # steps, as Frame allows
AUTO, CUSTOM, OFF = "auto", "custom", "off"  # off: no cache; the nodes see to it, no settings are made of it
RETIRED = ("guard",)  # widgets of older packs, which saved workflows may still have
Values = Mapping[str, Any]  # of widgets, by name


def resolve(presets: Mapping[str, Values], defaults: Values, preset: str, given: Values) -> tuple[str, dict[str, Any]]:
    """The preset's name and the values in force.

    With `custom` the widgets are taken as they stand. With any other preset a widget that still shows its default is
    untouched and follows the preset, and one that shows something else, other than the preset's own value, was moved by
    hand: it counts, and turns the preset into `custom`. Raises ConfigError for an unknown preset.
    """
    check_choice("preset", preset, (*presets, CUSTOM))
    if preset == CUSTOM:
        return CUSTOM, dict(given)
    values = {**defaults, **presets[preset]}
    moved = {name: value for name, value in given.items() if value != defaults[name] and value != values[name]}
    return (f"{CUSTOM} (from {preset})" if moved else preset), {**values, **moved}


def auto_warmup(steps: int) -> int:
    """Steps at the start that `auto` computes, where the output changes fastest: steps / 6, and with few steps up to
    8, but no more than 30 %. Measured on the lab's model: `python3 -m lab.sweep`."""
    return min(MOST_WARMUP, max(round(steps / 6), min(8, round(0.3 * steps))))
