"""A method: a published cache as data and one function, which the engine runs on any model."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from ..errors import ConfigError, RefusedError, check_range
from ..plan import Plan
from ..predictor import REUSE, Compensation, Predictor
from ..schedule import Online, Schedule, Table, TableAt, from_steps
from ..site import MODULES, OUTPUT, Kind, Range, Sites, within
from ..timeline import Timeline
from .profile import Profile

GRID = 240  # thresholds that are tried between the least and the most


@dataclass(frozen=True)
class Variant:
    """Facts that tell one model from another of its family: class of the diffusion model, width of its tokens,
    channels of its input; whether its attention and MLP can be predicted one without the other. `looks`: whether the
    modulated input of its first block can be read. `lists`: its lists of blocks, each by path and length; none where
    they cannot be merged."""

    name: str = ""
    width: int = 0
    channels: int = 0
    apart: bool = True
    looks: bool = True
    lists: tuple[tuple[str, int], ...] = ()

    @property
    def unet(self) -> bool:
        """True for a U-Net."""
        return [path for path, _ in self.lists] == ["input_blocks"]

    def share(self, ranges: tuple[Range, ...]) -> float:
        """Share of the blocks that are in `ranges`, 0 to 1; empty ranges are all blocks."""
        every = sum(count for _, count in self.lists)
        named = sum(len(part) for path, count in self.lists for part in within(ranges, path, count))
        return named / every if ranges and every else 1.0


@dataclass(frozen=True)
class Sampling:
    """A sampling that a method plans for.

    `inside`: True where the model's blocks can be merged, so that their residual is reused; else the model's output is.
    `profile`: of a recorded picture, None for the published curves. `given`: a schedule as JSON, for a method that
    imports one. `time_changes` `(N,)`: relative L1 change of the model's time embedding at each step, 0 at step 0;
    empty where it is not known, or not asked for. `start`, `end`: percentages in [0, 1] of the sampling, as ComfyUI
    counts them, outside which every step is computed.
    """

    timeline: Timeline
    variant: Variant = Variant()
    inside: bool = True
    profile: Profile | None = None
    given: str = ""
    time_changes: tuple[float, ...] = ()
    start: float = 0.0
    end: float = 1.0

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds that a method reuses here."""
        return MODULES if self.inside else OUTPUT

    def computing(self, steps: Iterable[int], kinds: frozenset[Kind] | None = None) -> TableAt:
        """The schedule that computes `steps`, and step 0, of the sampling's kinds or of others."""
        return self.scheduled(from_steps(kinds or self.kinds, {0, *steps}, self.timeline.steps))

    def scheduled(self, table: Table) -> TableAt:
        """The schedule of a table for this very sampling; beside another plan it is moved over sigma."""
        inside = (self.timeline.inside(step, self.start, self.end) for step in range(self.timeline.steps))
        rows = (row if free else table.kinds for row, free in zip(table.rows, inside, strict=True))
        return TableAt(Table(table.kinds, tuple(rows)), self.timeline.sigmas)

    def framed(self, schedule: Schedule) -> Schedule:
        """The schedule within the sampling's percentages, where it decides during the run."""
        if not isinstance(schedule, Online):
            return schedule
        frame = schedule.frame
        start, end = max(frame.start, self.start), min(frame.end, self.end)
        return replace(schedule, frame=replace(frame, start=start, end=end))


@dataclass(frozen=True)
class Threshold:
    """A method's own setting, by the name it has in its paper or node. More is faster. `default`: as released. `whole`:
    True for one that counts steps."""

    name: str
    least: float
    most: float
    default: float
    whole: bool = False

    def check(self, value: float) -> None:
        """Raise ConfigError unless the threshold may have this value."""
        check_range(self.name, value, self.least, self.most)
        if self.whole and value != int(value):
            raise ConfigError(f"{self.name} is {value}; it counts steps, so set it to a whole number.")

    def said(self, value: float) -> str:
        """A value with its name, such as `magcache_thresh 0.064`."""
        return f"{self.name} {value:.3g}"

    @cached_property
    def grid(self) -> tuple[float, ...]:
        """Values from `least` to `most`, ascending: each integer, or GRID of equal ratios."""
        if self.whole:
            return tuple(float(value) for value in range(int(self.least), int(self.most) + 1))
        ratio = (self.most / self.least) ** (1 / (GRID - 1))
        return tuple(min(self.most, self.least * ratio**i) for i in range(GRID))


def allowed(sampling: Sampling) -> str:
    """No reason against any sampling."""
    return ""


def silent(sampling: Sampling) -> tuple[str, ...]:
    """No sentences."""
    return ()


def reuse(sampling: Sampling, threshold: float) -> Predictor:
    """Plain reuse of the newest output."""
    return REUSE


def uncompensated(sampling: Sampling) -> Compensation | None:
    """No compensation of reused outputs."""
    return None


def unknown_share(sampling: Sampling, threshold: float) -> float | None:
    """No estimate: the plan's table tells."""
    return None


def everywhere(sampling: Sampling) -> tuple[Range, ...]:
    """No ranges: all blocks are reused."""
    return ()


def every_site(sampling: Sampling, threshold: float) -> tuple[Sites, ...]:
    """No names: each step reuses what the schedule says, in all blocks."""
    return ()


def any_number(given: str) -> int:
    """No number: a schedule is for any steps."""
    return 0


@dataclass(frozen=True)
class Method:
    """A published cache.

    `name`: as its users know it; `source`: paper or repository; `summary`: a sentence for the node. `schedule`: when
    and where, by a sampling and the threshold. `predictor`: of the reused values. `refusal`: the reason why a sampling
    cannot have it and the method that works instead, else empty. `notes`: sentences for the report. `curves`: False for
    one that goes by none, so that nothing is recorded for it. `imports`: True if it reads `Sampling.given`; `places`:
    True if that tells only where it reuses, so that strength, threshold and curves count beside it. `compensation`: of
    reused outputs of the model, after guidance, as they were recorded. `kinds`: where it acts on every model; None for
    those of the sampling. `share`: estimate of the evaluations that a threshold saves, where the plan decides during
    the run; None where its table tells. `time`: the subject of `time_changes`, the time "embedding" or what is
    "projected" from it for the blocks; empty where it needs none. `ranges`: the blocks that it reuses; `sites`:
    what each step reuses of them, see Plan. `steps`: the number of steps that a given schedule is for, 0 = any.
    `tries`: True if it learns from parts that are tried while a picture is recorded.
    `decides`: True if it decides during the run by a recorded picture's curves, too.
    """

    name: str
    source: str
    summary: str
    threshold: Threshold
    schedule: Callable[[Sampling, float], Schedule]
    predictor: Callable[[Sampling, float], Predictor] = reuse
    refusal: Callable[[Sampling], str] = allowed
    aliases: tuple[str, ...] = ()
    notes: Callable[[Sampling], tuple[str, ...]] = silent
    curves: bool = True
    imports: bool = False
    places: bool = False
    tries: bool = False
    compensation: Callable[[Sampling], Compensation | None] = uncompensated
    kinds: frozenset[Kind] | None = None
    share: Callable[[Sampling, float], float | None] = unknown_share
    time: str = ""
    ranges: Callable[[Sampling], tuple[Range, ...]] = everywhere
    sites: Callable[[Sampling, float], tuple[Sites, ...]] = every_site
    steps: Callable[[str], int] = any_number
    decides: bool = False

    @property
    def names_sites(self) -> bool:
        """True if its plans name what each step reuses."""
        return self.sites is not every_site

    def kinds_in(self, sampling: Sampling) -> frozenset[Kind]:
        """Kinds that it reuses in a sampling."""
        return self.kinds or sampling.kinds

    def plan(self, sampling: Sampling, threshold: float, name: str = "") -> Plan:
        """The plan for a sampling. Raises ConfigError for a threshold out of range and a sampling that is refused."""
        self.threshold.check(threshold)
        if reason := self.refusal(sampling):
            raise RefusedError(f"{self.name}: {reason}")
        schedule = sampling.framed(self.schedule(sampling, threshold))
        predictor = self.predictor(sampling, threshold)
        compensation, sites = self.compensation(sampling), self.sites(sampling, threshold)
        merge = schedule.kinds <= MODULES and not sites
        return Plan(
            schedule,
            predictor,
            name=name or self.name,
            merge=merge,
            guided=compensation is not None,
            notes=self.notes(sampling),
            compensation=compensation,
            ranges=self.ranges(sampling) if merge else (),
            sites=sites,
        )
