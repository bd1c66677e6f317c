"""Weights of a ComfyUI model: a name for everything that it runs with, and one layer's weights in full."""

from collections import Counter
from weakref import WeakKeyDictionary, finalize
from zlib import crc32

from torch import Tensor, bfloat16, float16, float32, float64, nn, no_grad

from .closures import Closures
from .digest import PLAIN, Digest, digest

REAL = (float16, bfloat16, float32, float64)
VERSION = "weights 2"  # in names; a plan with a name of another version is learned anew
MOST = 2048  # tensors of a model that are read, unless it has more blocks
REMEMBERED = 32  # names of sets of patches
LISTS = (nn.ModuleList, nn.ModuleDict, nn.Sequential)

_of_modules: WeakKeyDictionary = WeakKeyDictionary()  # module -> state of the tensors that were read, their name
_of_patches: dict[tuple, str] = {}


class Lent:
    """Weight and bias of a layer, for a `with` block. After it ComfyUI may use their memory for another layer."""

    def __init__(self, weight, bias, give_back=None, *given):
        self.weights = weight, bias
        self.end = finalize(self, give_back, *given) if give_back else lambda: None  # also where nobody enters

    def __enter__(self):
        return self.weights

    def __exit__(self, *_):
        self.end()


def full_weights(linear, x) -> Lent:
    """Weight `(out, in)` and bias `(out,)` of a layer, cast for `x`. Raises TypeError for weights that cannot be sliced
    (quantised, packed or scaled): the mount then falls back to the attention kernel."""
    weight = linear.weight
    if type(weight) not in PLAIN or weight.dtype not in REAL or getattr(linear, "scale_weight", None) is not None:
        raise TypeError(f"weights of type {type(weight).__name__}, {weight.dtype} cannot be sliced")
    if not hasattr(linear, "weight_function"):
        return Lent(weight, linear.bias)
    import comfy.ops

    give_back = getattr(comfy.ops, "uncast_bias_weight", None)
    if give_back is None:  # older versions fetch a copy for each use
        return Lent(*comfy.ops.cast_bias_weight(linear, x))
    weight, bias, fetched = comfy.ops.cast_bias_weight(linear, x, offloadable=True)
    return Lent(weight, bias, give_back, linear, weight, bias, fetched)


def fingerprint(patcher) -> str:
    """A name for the weights of a ModelPatcher's diffusion model and everything added to them: LoRAs, merges, hooks,
    injections, replaced modules, further models. The same on every machine and in every run, wherever the weights are,
    and whether or not a LoRA is merged into them at the moment."""
    path = "diffusion_model" if hasattr(patcher.model, "diffusion_model") else ""
    module = getattr(patcher.model, path) if path else patcher.model
    source = Digest(VERSION)
    with no_grad():  # and with injections as they are: ejecting one patcher's disturbs those of another that is loaded
        source.words += _weights(module, path, _instead(patcher)), _patches(patcher)
        source.add(getattr(module, "loras", None))  # nunchaku's, which are merged at the next call
        source.add([hook.strength for hook in getattr(patcher.forced_hooks, "hooks", ())])
        source.add(list(patcher.hook_patches.values()))
        Closures(source, patcher.model).reach((patcher.weight_wrapper_patches, list(patcher.injections.values())))
        others = [model for key, models in patcher.additional_models.items() if key != "multigpu" for model in models]
        source.words += map(fingerprint, others)
        return source.name()


def weights_of(module: nn.Module) -> str:
    """A name for the weights of a module as they are, by the rule of `fingerprint`."""
    with no_grad():
        return _weights(module, "", {})


def _patches(patcher) -> str:
    key = patcher.patches_uuid, len(patcher.patches), sum(map(len, patcher.patches.values()))
    if key not in _of_patches:
        while len(_of_patches) >= REMEMBERED:
            del _of_patches[next(iter(_of_patches))]
        _of_patches[key] = digest(patcher.patches, elements=16)
    return _of_patches[key]


def _instead(patcher) -> dict[str, object]:
    """This patcher's own modules and weights, by path, where the model holds something else: a weight with a LoRA in
    it, or cast for the device, or another patcher's part."""
    own = {key: kept[0] for key, kept in patcher.hook_backup.items()}
    own |= {key: kept.weight for key, kept in patcher.backup.items()} | getattr(patcher, "backup_buffers", {})
    own |= patcher.object_patches_backup | patcher.object_patches
    return {key.replace("_orig_mod.", ""): value for key, value in own.items()}


def _weights(module, path: str, instead: dict) -> str:
    """The name of a module's weights, remembered until they are written or moved."""
    parts: list[tuple] = []
    _gather(_chosen(instead, path, module, nn.Module), path, "", instead, parts)
    state = hash(tuple(_state(part[1:]) for part in parts))
    known = _of_modules.get(module)
    if known is None or known[0] != state:
        known = _of_modules[module] = state, _name(_selected(parts))
    return known[1]


def _chosen(instead: dict, path: str, usual, kind: type):
    """This patcher's own value at `path`, if it is of this kind, else the usual one."""
    other = instead.get(path)
    return other if isinstance(other, kind) else usual


def _gather(module, path: str, block: str, instead: dict, parts: list) -> None:
    """Append (block, path, tensor, dtype that ComfyUI casts it to) to `parts` for each tensor below `module`. A tensor
    in no list is a block of its own."""
    module = module._modules.get("_orig_mod", module)  # a compiled module runs the weights of this one
    for name, value in (module._parameters | module._buffers).items():
        if value is not None and name not in module._non_persistent_buffers_set:
            where = f"{path}.{name}"
            chosen = _chosen(instead, where, value, Tensor)
            parts.append((block or where, where, chosen, module.__dict__.get(f"{name}_comfy_model_dtype")))
    listed = isinstance(module, LISTS)
    for name, child in module._modules.items():
        if child is not None:
            where = f"{path}.{name}" if path else name
            _gather(_chosen(instead, where, child, nn.Module), where, where if listed else block, instead, parts)


def _state(part: tuple) -> tuple:
    where, value, dtype = part
    try:
        return where, value.data_ptr(), value._version, dtype
    except RuntimeError:  # of an inference tensor, or one without memory
        return where, id(value), 0, dtype


def _selected(parts: list) -> list:
    """At most MOST parts, but one of each block at least: blocks take turns, matrices before vectors, by hash of the
    path. Most models have fewer tensors, and all are read."""
    if len(parts) <= MOST:
        return parts
    turns: Counter[str] = Counter()
    ordered = []
    for part in sorted(parts, key=lambda part: (part[2].ndim < 2, crc32(part[1].encode()))):
        turns[part[0]] += 1
        ordered.append((turns[part[0]], part))
    ordered.sort(key=lambda pair: pair[0])  # stable: by name within a turn
    return [part for _, part in ordered[: max(MOST, len(turns))]]


def _name(parts: list) -> str:
    source = Digest()
    for _, where, value, dtype in sorted(parts, key=lambda part: part[1]):
        source.words.append(where)
        source.tensor(value, dtype)
    return source.name()
