"""Widgets and presets, shared by the two Apply nodes."""

from collections.abc import Mapping

CUSTOM = "custom"
Values = Mapping[str, object]


def integer(default: int, low: int, high: int, tooltip: str) -> tuple[str, dict]:
    return ("INT", {"default": default, "min": low, "max": high, "step": 1, "display": "slider", "tooltip": tooltip})


def number(default: float, low: float, high: float, step: float, tooltip: str) -> tuple[str, dict]:
    return ("FLOAT", {"default": default, "min": low, "max": high, "step": step, "round": False, "display": "slider", "tooltip": tooltip})


def choice(options: tuple[str, ...], tooltip: str, **extra: object) -> tuple[list[str], dict]:
    return (list(options), {"default": options[0], "tooltip": tooltip, **extra})


def percents(start: float = 0.0, end: float = 1.0) -> dict[str, tuple[str, dict]]:
    """The two widgets that limit caching to a part of the sampling, counted as ComfyUI's own nodes count it."""
    return {
        "start_percent": number(start, 0.0, 1.0, 0.01, "Share of the sampling, from its start, before which every step is computed. 0 = cache "
                                                       "from the start. More keeps more of the composition untouched."),
        "end_percent": number(end, 0.0, 1.0, 0.01, "Share of the sampling after which every step is computed. 1 = cache to the end. "
                                                   "Less keeps more of the fine detail untouched."),
    }


def resolve(presets: Mapping[str, Values], defaults: Values, preset: str, given: Values) -> tuple[str, dict[str, object]]:
    """The preset's name and the values in force.

    With `custom` the widgets are taken as they stand. With any other preset a widget that still shows its default is
    untouched and follows the preset, and one that shows something else, other than the preset's own value, was moved by
    hand: it counts, and turns the preset into `custom`.
    """
    if preset == CUSTOM:
        return CUSTOM, dict(given)
    values = {**defaults, **presets[preset]}
    moved = {name: value for name, value in given.items() if value != defaults[name] and value != values[name]}
    return (f"{CUSTOM} (from {preset})" if moved else preset), {**values, **moved}
