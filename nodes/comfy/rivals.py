"""Caches of other packs on a model. Two caches would predict from each other's predictions, so a run has only one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from inspect import getattr_static
from typing import NamedTuple

from ...cache_core import ConfigError

FORWARDS = ("forward", "forward_orig", "_forward", "apply_model", "_apply_model")  # what caches replace
MOST = 4000  # objects that are looked at in one place: some make others without end
OWN = __name__.rsplit(".", 3)[0] + "."  # the pack


class Rival(NamedTuple):
    """A cache of another pack, with the words and keys that give it away."""

    name: str
    words: tuple[str, ...]  # in names of modules, functions and wrapper keys, as `spelled`: a blank is a word's edge
    keys: tuple[str, ...] = ()  # whole keys of options and patches_replace: other packs leave notes for a cache there


RIVALS = (
    Rival("EasyCache or LazyCache", ("easycache", "lazycache"), ("easycache", "lazycache")),
    Rival("TeaCache", ("teacache", " tea cache "), ("rel_l1_thresh", "teacache")),
    Rival("MagCache", ("magcache", " mag cache "), ("magcache_thresh", "magcache_K")),
    Rival("MeanCache", ("meancache",), ("meancache",)),
    Rival("WaveSpeed", ("wavespeed",)),
    Rival(
        "First Block Cache",
        ("fbcache", " fb cache ", "blockcache", " block cache "),
        ("minimax_h3_block_cache_t8", "qwen_image21_t8", "h3bc_v2"),
    ),
    Rival("TaylorSeer", ("taylorseer", " taylor seer ")),
    Rival(
        "Spectrum",
        (" spectrum ",),
        ("spectrum", "spectrum_runtime", "spectrum_h3_binding", "_spectrum_sampler_wrappers_installed"),
    ),
    Rival("CacheDiT", ("cachedit", " cache dit "), ("cache_dit_turbo", "ltx2_cache", "wan_cache")),
    Rival("Adaptive Cache", ("adaptivecache", " adaptive cache ", "adaptivestagecache", " adaptive stage cache ")),
    Rival("TE-Speed", (" te speed", " tespeed"), ("block_loop",)),
    Rival("MiniMax H3 Cache", ("minimaxh cache", "minimax h cache")),
    Rival("HyperStep", ("hyperstep",)),
    Rival("HiCache", (" hicache",)),
    Rival("DeepCache", ("deepcache",)),
    Rival("FSampler", (" fsampler",)),
)


def refuse_rivals(model, options: Mapping | None = None, sampler=None) -> None:
    """Raise ConfigError with the names of other caches on the model, in its guider's `options` or in its sampler."""
    given = [model.model_options, options or {}]
    named = _names((*_on_patcher(model), *_origins(sampler), *(name for each in given for name in _in_options(each))))
    left = _names(_in_modules(model)) - named
    keys = {key for each in given for key in _keys(each)}
    named = named or {rival.name for rival in RIVALS if keys & set(rival.keys)} - left
    if reason := refusal(named, left):
        raise ConfigError(reason)


def refusal(named: set[str], left: set[str]) -> str:
    """Reason why a model with these caches is refused: `named`, which nodes have put on it, and `left`, which stay when
    their nodes are gone; empty without any."""
    if named:
        return (
            f"{' and '.join(sorted(named))} is on this model, too, and two caches spoil each other. Remove it, or this "
            "node."
        )
    if left:
        return (
            f"{' and '.join(sorted(left))} has put its own forward into this model, where it stays when its node is "
            "gone, and two caches spoil each other. Remove its node and restart ComfyUI, or remove this node."
        )
    return ""


def spelled(name: str) -> str:
    """A name in lower case, with blanks for all but letters. Of a path only the end: folders above say nothing."""
    end = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    return f" {' '.join(''.join(c if c.isalpha() else ' ' for c in end).split())} "


def _names(origins: Iterable[str]) -> set[str]:
    """Names of rivals: for each of `origins` the first in the table with a word of it."""
    texts = {spelled(origin) for origin in origins}
    names = (next((rival.name for rival in RIVALS if any(word in text for word in rival.words)), "") for text in texts)
    return {name for name in names if name}


def _on_patcher(model) -> Iterator[str]:
    """Origins of everything on a ModelPatcher but its options."""
    for place in ("wrappers", "callbacks", "injections"):
        yield from _in_keyed(getattr(model, place, {}))
    yield from _origins(getattr(model, "object_patches", {}), getattr(model, "attachments", {}))


def _in_options(options: Mapping) -> Iterator[str]:
    """Origins of the functions in model options, and the keys of their wrappers and callbacks."""
    inner = options.get("transformer_options", {})
    for place in (options, inner):
        yield from _in_keyed(place.get("wrappers", {}))
        yield from _in_keyed(place.get("callbacks", {}))
        yield from _origins(*(place[key] for key in place.keys() - {"transformer_options", "wrappers", "callbacks"}))


def _in_keyed(kept: Mapping) -> Iterator[str]:
    """Keys and origins of {key: functions}, or {kind: {key: functions}}."""
    for key, value in kept.items():
        if isinstance(value, Mapping):
            yield from _in_keyed(value)
        elif value:
            yield str(key)
            yield from _origins(value)


def _in_modules(model) -> Iterator[str]:
    """Origins of the forwards of a model, of its blocks, and of their classes."""
    modules = list(model.model.modules()) + list(model.get_model_object("diffusion_model").modules())
    kinds = set(map(type, modules))
    yield from _origins(
        *kinds,
        *(vars(module).get(name) for module in modules for name in FORWARDS),
        *(getattr(kind, name, None) for kind in kinds for name in FORWARDS),
    )


def _keys(options: Mapping) -> Iterator[str]:
    """Keys of model options, and of the replaced parts of the model among them."""
    inner = options.get("transformer_options", {})
    yield from map(str, (*options, *inner))
    for replaced in inner.get("patches_replace", {}).values():
        yield from (str(key[0]) for key in replaced if isinstance(key, tuple) and key)


def _origins(*values) -> Iterator[str]:
    """Origins of `values` and of the functions that they hold, the pack's own left out."""
    waiting = list(values)
    seen: dict[int, object] = {}  # kept, so that no other object gets the id of one
    while waiting and len(seen) < MOST:
        value = waiting.pop()
        if value is None or id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, Mapping | list | tuple | set):
            waiting += value.values() if isinstance(value, Mapping) else value
        elif not _origin(value).startswith(OWN):
            yield _origin(value)
            waiting += _called_by(value)


def _called_by(value) -> Iterator:
    """Functions that a function, method, partial or injection holds."""
    for name in ("func", "__func__", "inject", "eject", "sampler_function"):
        static = getattr_static(value, name, None)  # never an attribute that is made when asked for
        if static is not None and callable(function := getattr(value, name, None)):
            yield function
    for cell in getattr(value, "__closure__", None) or ():
        with suppress(ValueError):  # a name that is not bound yet
            if callable(cell.cell_contents):
                yield cell.cell_contents


def _origin(value) -> str:
    """Module and name of a function, a class, or an object's class."""
    named = value if isinstance(getattr(value, "__qualname__", None), str) else type(value)
    return f"{named.__module__}.{named.__qualname__}"
