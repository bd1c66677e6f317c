"""How a preset and the widgets beside it become one set of values."""

from collections.abc import Mapping

from ..errors import check_choice

MOST_WARMUP = 100  # as the widget has it
AUTO, CUSTOM = "auto", "custom"
Values = Mapping[str, object]


def resolve(
    presets: Mapping[str, Values], defaults: Values, preset: str, given: Values
) -> tuple[str, dict[str, object]]:
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
    """Steps at the start that `auto` computes, where the output changes fastest: a sixth, and with few steps up to
    8, but no more than 30 %.

    Measured on the lab's model: `python3 -m lab.sweep`.
    """
    return min(MOST_WARMUP, max(round(steps / 6), min(8, round(0.3 * steps))))
