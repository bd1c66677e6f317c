"""Results of samplings, by name: a calibration that was interrupted goes on where it stopped."""

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as as_safetensors
from torch import Tensor

from ..files import write_atomically

log = logging.getLogger("feb_ab_cache")
Results = dict[str, Tensor]


class Memo:
    """Keeps results in `folder`, or nowhere. A calibration is deterministic, so results that are there are those it
    would get again."""

    def __init__(self, folder: Path | None = None):
        self.folder = folder

    def of(self, name: str, make: Callable[[], Results]) -> Results:
        """The tensors called `name`; made, and kept, if they are not there or cannot be read."""
        if self.folder is None:
            return make()
        path = self.folder / f"{name}.safetensors"
        try:
            return load_file(path)
        except (OSError, SafetensorError):
            results = make()
        self._keep(path, results)
        return results

    def _keep(self, path: Path, results: Results) -> None:
        """Where the disk does not take them, the calibration goes on: they are lost only to one that is interrupted."""
        try:
            write_atomically(path, as_safetensors({key: value.contiguous() for key, value in results.items()}))
        except OSError as error:
            log.warning("%s could not be kept (%s): after an interruption it is sampled again.", path.name, error)

    def clear(self) -> None:
        """Drop everything, once it is no longer needed. What another process still uses there is left to it."""
        if self.folder is not None and self.folder.is_dir():
            for path in (*self.folder.glob("*.safetensors"), *self.folder.glob("*.part")):
                with suppress(OSError):
                    path.unlink()
            with suppress(OSError):
                self.folder.rmdir()
