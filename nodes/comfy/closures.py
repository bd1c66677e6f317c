"""Weights that only functions of other packs can reach: ComfyUI's bypass LoRA, for one, is in a closure."""

from functools import partial
from types import FunctionType, MethodType

from torch import Tensor, bfloat16, float16, float32, nn

MOST = 4000  # objects that are looked at
DEEP = 12  # from one to the next
FUNCTIONS = (FunctionType, MethodType)


class Closures:
    """A search for tensors, numbers and modules from functions on, to be added to a digest. Words, flags and methods in
    objects are left out: they change from run to run, and tell nothing about weights."""

    def __init__(self, digest, model):
        self.digest, self.model = digest, model
        self.seen, self.paths = {}, {}

    def reach(self, value, deep: int = DEEP) -> None:
        """Digest the numbers and tensors within a value, through `deep` objects."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.digest.add(float(value))
        elif isinstance(value, Tensor):
            self.digest.tensor(value)
        elif isinstance(value, list | tuple | dict):
            self._each(value.items() if isinstance(value, dict) else value, deep)
        elif value is not None and not isinstance(value, bool | str | bytes | type) and self._new(value) and deep:
            self._into(value, deep - 1)

    def _new(self, value) -> bool:
        """True if `value` was not met before. It is kept meanwhile, so that no other object gets its id."""
        before = len(self.seen)
        self.seen.setdefault(id(value), value)
        return before < len(self.seen) < MOST

    def _each(self, values, deep: int) -> None:
        for value in values:
            self.reach(value, deep)

    def _into(self, value, deep: int) -> None:
        if isinstance(value, nn.Module):
            self._module(value)
        elif isinstance(value, FunctionType):
            self.digest.words.append(value.__qualname__)
            self._each([cell for cell in map(_content, value.__closure__ or ()) if cell is not None], deep)
            self.reach(value.__defaults__, deep)
        elif isinstance(value, MethodType):
            self._each((value.__func__, value.__self__), deep)
        elif isinstance(value, partial):
            self._each((value.func, value.args, value.keywords), deep)
        elif not hasattr(value, "patches_uuid"):  # a ModelPatcher, which may be any
            self._object(value, getattr(value, "__dict__", {}), deep)

    def _module(self, module, dtype=None) -> None:
        if not self.paths:
            self.paths = {id(part): path for path, part in self.model.named_modules()}
        path = self.paths.get(id(module))
        self.digest.add(module if path is None else path, dtype)

    def _object(self, value, inside: dict, deep: int) -> None:
        self.digest.words.append(type(value).__qualname__)
        if "hooks" in inside:  # ComfyUI's manager of bypass LoRAs, which keeps the adapters twice
            self.reach(inside["hooks"], deep)
        elif inside.keys() >= {"module", "adapter", "multiplier"}:
            self._module(inside["module"])
            self.digest.add((inside["adapter"], float(inside["multiplier"])), _dtype_in_use(inside["module"]))
        elif hasattr(value, "weights"):
            self.digest.add(value)
        else:
            named = sorted(inside.items())
            self._each([part for name, part in named if name == "inject" or type(part) not in FUNCTIONS], deep)


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None


def _dtype_in_use(module):
    """The dtype that ComfyUI casts a bypass LoRA to, for good, when it first runs."""
    dtype = getattr(getattr(module, "weight", None), "dtype", None)
    return dtype if dtype in (float32, float16, bfloat16) else None
