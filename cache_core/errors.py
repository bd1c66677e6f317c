"""Exceptions of this pack: ConfigError (a bad setting), HostError (an unsupported model); and checks of settings."""


class CacheError(Exception):
    """Base of all exceptions that this pack raises on purpose."""


class ConfigError(CacheError, ValueError):
    """A setting outside of its range. The message names the widget, its value, the range and the remedy."""


class RefusedError(ConfigError):
    """A method that a model, or a sampling, cannot have. The message names what works instead."""


class HostError(CacheError, TypeError):
    """A model without sites of the wanted kind. The message names its class and the node that works instead."""


def brief(text: str, most: int = 80) -> str:
    """Printable characters among the first `most` of `text`, which may be a stranger's; dots if more follow."""
    shown = "".join(filter(str.isprintable, text[:most]))
    return shown if len(text) <= most else f"{shown}..."


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError unless `low <= value <= high` (so also for NaN). `name`: of the widget."""
    if not low <= value <= high:
        raise ConfigError(f"{name} is {brief(str(value))}; allowed is {low} to {high}.")


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ConfigError unless `value` is one of `allowed`. `name`: of the widget."""
    if value not in allowed:
        raise ConfigError(f"{name} is {brief(repr(value))}; allowed is one of {', '.join(allowed)}.")
