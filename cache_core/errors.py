"""What can go wrong, told apart by whose turn it is to act."""


class CacheError(Exception):
    """Base of every error this pack raises on purpose."""


class ConfigError(CacheError, ValueError):
    """A setting is outside what is allowed. The message gives the value, the range and what to do."""


class HostError(CacheError, TypeError):
    """The model has no sites of the wanted kind. The message names the model class and what works instead."""


def brief(text: str, most: int = 80) -> str:
    """The printable ones of the first `most` characters of `text`, which may be anybody's; dots if that is not all."""
    shown = "".join(filter(str.isprintable, text[:most]))
    return shown if len(text) <= most else f"{shown}..."


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError unless `low <= value <= high` (so also for NaN)."""
    if not low <= value <= high:
        raise ConfigError(f"{name} is {brief(str(value))}; allowed is {low} to {high}.")


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ConfigError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise ConfigError(f"{name} is {brief(repr(value))}; allowed is one of {', '.join(allowed)}.")
