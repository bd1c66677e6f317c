"""Widgets, shared by the two Apply nodes."""


def integer(default: int, low: int, high: int, tooltip: str) -> tuple[str, dict]:
    return ("INT", {"default": default, "min": low, "max": high, "step": 1, "display": "slider", "tooltip": tooltip})


def number(default: float, low: float, high: float, step: float, tooltip: str) -> tuple[str, dict]:
    return (
        "FLOAT",
        {
            "default": default,
            "min": low,
            "max": high,
            "step": step,
            "round": False,
            "display": "slider",
            "tooltip": tooltip,
        },
    )


def amount(low: float, high: float, step: float, tooltip: str) -> tuple[str, dict]:
    """A number that no preset sets: choosing one leaves it alone, and moving it leaves the preset."""
    return (
        "FLOAT",
        {"default": low, "min": low, "max": high, "step": step, "round": False, "of_preset": False, "tooltip": tooltip},
    )


def choice(options: tuple[str, ...], tooltip: str, **extra: object) -> tuple[list[str], dict]:
    return (list(options), {"default": options[0], "tooltip": tooltip, **extra})


def percents(start: float = 0.0, end: float = 1.0) -> dict[str, tuple[str, dict]]:
    """The two widgets that limit caching to a part of the sampling, counted as ComfyUI's own nodes count it."""
    return {
        "start_percent": number(
            start,
            0.0,
            1.0,
            0.01,
            "Share of the sampling, from its start, before which every step is computed. 0 = cache "
            "from the start. More keeps more of the composition untouched.",
        ),
        "end_percent": number(
            end,
            0.0,
            1.0,
            0.01,
            "Share of the sampling after which every step is computed. 1 = cache to the end. "
            "Less keeps more of the fine detail untouched.",
        ),
    }
