"""Results of samplings, by name: a calibration that was interrupted goes on where it stopped."""

from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

Results = dict[str, Tensor]


class Memo:
    """Keeps results in `folder`, or nowhere. A calibration is deterministic, so results that are there are those it would get again."""

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
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")  # so that a file under its name is a whole one
        save_file({key: value.contiguous() for key, value in results.items()}, part)
        part.replace(path)
        return results

    def clear(self) -> None:
        """Drop everything, once it is no longer needed."""
        if self.folder is not None and self.folder.is_dir():
            for path in (*self.folder.glob("*.safetensors"), *self.folder.glob("*.part")):
                path.unlink()
            self.folder.rmdir()
