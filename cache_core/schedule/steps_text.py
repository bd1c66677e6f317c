"""Lists of steps as text, such as `0-4,6,9,13,49`."""

from collections.abc import Iterable

from ..errors import ConfigError, brief

MOST_NAMED = 20_000


def format_steps(steps: Iterable[int]) -> str:
    """Text that `parse_steps` reads as `steps`, neighbours as ranges."""
    runs: list[list[int]] = []
    for step in sorted(set(steps)):
        if runs and runs[-1][-1] == step - 1:
            runs[-1] = [runs[-1][0], step]
        else:
            runs.append([step])
    return ",".join("-".join(map(str, run)) for run in runs)


def parse_steps(text: str, name: str = "computed_steps") -> tuple[int, ...]:
    """Steps that the text of the widget `name` lists, ascending. Raises ConfigError for anything else than a list."""
    steps: set[int] = set()
    named = 0
    for part in text.replace(" ", "").split(","):
        low, high = _range(part, name)
        named += high - low + 1
        check_named(named, name)
        steps.update(range(low, high + 1))
    return tuple(sorted(steps))


def check_named(count: int, name: str) -> None:
    """Raise ConfigError if the text of the widget `name` names more steps than any sampling could need.

    `count`: of the steps, each as often as it is named. To read more would keep the server busy.
    """
    if count > MOST_NAMED:
        raise ConfigError(
            f"{name} names {count} steps or more, counting again those named again; {MOST_NAMED} are allowed. Name "
            "each step once."
        )


def _range(part: str, name: str) -> tuple[int, int]:
    """First and last step of `6` or `0-4`."""
    first, dash, last = part.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()) or len(part) > 9:
        raise ConfigError(f"{name} has {brief(repr(part))}; write steps and ranges such as 0-4,6,9,13,49.")
    low, high = int(first), int(last if dash else first)
    if not low <= high <= 9999:
        raise ConfigError(f"{name} has the range {part!r}; write it ascending, up to 9999.")
    return low, high
