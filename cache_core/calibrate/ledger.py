"""Budget, memory and progress of a calibration, in uncached samplings: a computed step of N costs 1 / N."""

import logging
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as as_safetensors
from torch import Tensor

from ..files import write_atomically
from ..plan import Plan
from .bench import Bench, Watch, Watches

log = logging.getLogger("feb_ab_cache")
Results = dict[str, Tensor]
Progress = Callable[[float, str], None]  # is told the spent share of the budget, and the work underway
ROUNDING = 1e-9


class Ledger:
    """The book of a calibration on `bench`: every sampling is run, paid and reported here.

    `total`: the budget. `folder`: place of results that an interrupted calibration has left; None = they are not kept.
    A calibration is deterministic: results that are there are those that it would get again, so they cost the same.
    """

    def __init__(
        self, bench: Bench, total: float, folder: Path | None = None, progress: Progress = lambda share, doing: None
    ):
        self.bench, self.total, self.folder, self.spent = bench, total, folder, 0.0
        self._progress, self._doing, self._tick = progress, "", 0.0
        self._known: dict[str, Results] = {}

    def affords(self, cost: float, share: float = 1.0) -> bool:
        """True if `cost` more stays within a share of the budget."""
        return self.spent + cost <= share * self.total + ROUNDING

    def run(self, doing: str, cost: float, work: Callable[[], Results], *key: object, samplings: int = 1) -> Results:
        """Results of `work`, which samples `samplings` times with `sample`. Done once for each `doing` and `key`."""
        name = f"{doing.split()[0]}_{sha256(repr((doing, key)).encode()).hexdigest()[:16]}"
        if name in self._known:
            return self._known[name]
        start, self._doing = self.spent, doing
        self._tick = cost / samplings / self.bench.timeline.steps
        found = self._found(name) or self._kept(name, work())
        self.spent = start + cost
        self._say()
        return self._known.setdefault(name, found)

    def sample(self, number: int, plans: tuple[Plan, ...] = (), watch: Watch | None = None) -> Tensor:
        """The final latent `(1, C, ...)` of a sample (see Bench), reported evaluation by evaluation."""
        return self.bench.sample(number, plans, Watches(watch, self))

    def begin(self, sigma: float, state: Tensor) -> None:
        """An evaluation is about to be made (bench.Watch)."""
        self._say()
        self.spent += self._tick

    def end(self, output: Tensor) -> Tensor:
        """The evaluation is done (bench.Watch)."""
        return output

    def clear(self) -> None:
        """Drop the kept results, once nobody needs them."""
        if self.folder is not None:
            clear_results(self.folder)

    def _say(self) -> None:
        self._progress(min(1.0, self.spent / self.total), self._doing)

    def _found(self, name: str) -> Results | None:
        """Results that are kept under this name; None if there are none, or they cannot be read."""
        try:
            return load_file(self.folder / f"{name}.safetensors") if self.folder else None
        except (OSError, SafetensorError):
            return None

    def _kept(self, name: str, results: Results) -> Results:
        """`results`, once they are on disk. Where the disk does not take them the calibration goes on."""
        if self.folder:
            try:
                tensors = {key: value.contiguous() for key, value in results.items()}
                write_atomically(self.folder / f"{name}.safetensors", as_safetensors(tensors))
            except OSError as error:
                log.warning("%s could not be kept (%s): after an interruption it is sampled again.", name, error)
        return results


def clear_results(folder: Path) -> None:
    """Delete what a calibration has kept in `folder`. Files that another process still uses are left to it."""
    for path in (*folder.glob("*.safetensors"), *folder.glob("*.part")):
        with suppress(OSError):
            path.unlink()
    with suppress(OSError):
        folder.rmdir()
