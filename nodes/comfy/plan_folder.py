"""The folder of plan files, and the learned plans in it."""

from __future__ import annotations

import json
import logging
import time
from hashlib import sha256
from math import log2, prod
from pathlib import Path

from ...cache_core import ConfigError
from ...cache_core.calibrate.ledger import clear_results
from ...cache_core.files import start_of, takes_files, write_atomically
from ...cache_core.saved_plan import library
from ...cache_core.saved_plan.file import BUNDLED, load, save
from ...cache_core.saved_plan.library import LONGEST, SUFFIX, is_name
from ...cache_core.saved_plan.saved_plan import Origin, SavedPlan
from ...cache_core.site import Kind, names
from .plan_name import Subject, plan_name

log = logging.getLogger("feb_ab_cache")
METHOD = 2  # of learning; plans of another one are learned anew
LEFT = 7 * 24 * 3600  # seconds after which an interrupted calibration is dropped
FOLDER, PREFIX = "cache_plans", "bundled/"
LONGEST_OUTCOME = 4096  # bytes of a file with the reason why nothing was learned
UNUSED = 3  # plans for one model that no picture has used, after which a plan is learned only if its key comes twice

# until ComfyUI ends
_unsaved: dict[str, SavedPlan] = {}  # learned plans that the disk did not take
_lessons: dict[tuple[str, str], tuple[dict[str, None], set[str]]] = {}  # by model and sampler: keys unused, keys seen
only: Path | None = None  # the one folder for plans, where a script has set it
unlearnable: dict[str, str] = {}  # keys that cannot be learned, with the reason: not tried again at every picture


def folders() -> list[Path]:
    """ComfyUI's folders for plans, in the order in which they are searched: those of extra_model_paths.yaml, then the
    one next to ComfyUI's other model folders."""
    import folder_paths

    if only is not None:
        return [only]
    own = str(Path(folder_paths.models_dir) / FOLDER)
    if FOLDER not in folder_paths.folder_names_and_paths:
        folder_paths.folder_names_and_paths[FOLDER] = ([own], {SUFFIX})
    return [Path(path) for path in dict.fromkeys((*folder_paths.get_folder_paths(FOLDER), own))]


def folder() -> Path:
    """The folder that plans are written to: the first that takes files."""
    every = folders()
    return next((path for path in every[:-1] if takes_files(path)), every[-1])


def available() -> list[str]:
    """Names of the plans in the folders, newest first, none outside ComfyUI; then the bundled ones, as
    `bundled/...`."""
    bundled = [f"{PREFIX}{path.name}" for path in sorted(BUNDLED.glob("*.safetensors"))]
    try:
        return [path.name for path in library.all_files(folders())] + bundled
    except ImportError:
        return bundled


def find(name: str) -> Path:
    """The file of a plan to load, the user's or a bundled one. Raises ConfigError for a name of neither kind."""
    if not name.startswith(PREFIX):
        own = path_of(name)
        others = [path for place in folders()[1:] if (path := place / name).is_file() and not path.is_symlink()]
        return own if own.is_file() or not others else others[0]
    if name not in available():
        bundled = ", ".join(n for n in available() if n.startswith(PREFIX))
        raise ConfigError(f"There is no plan {name!r} in this pack; set plan_name to one of {bundled}.")
    return BUNDLED / name.removeprefix(PREFIX)


def path_of(name: str) -> Path:
    """The file of a user's plan, there or not. Raises ConfigError for a name that could lead out of the folder."""
    if not is_name(name):
        raise ConfigError(
            f"{name[:LONGEST]!r} is no name of a plan. Give the name of a file in models/{FOLDER}, or, to save, one "
            "without folder or special characters."
        )
    path = folder() / name
    if path.is_symlink():
        raise ConfigError(
            f"{name!r} is a link, and its file need not be in models/{FOLDER}. Put the plan itself there."
        )
    return path


def read(name: str) -> SavedPlan:
    """The plan in the file of this name. Raises ConfigError for a file that is missing, or cannot be read."""
    path = find(name)
    if not path.is_file():
        raise ConfigError(f"There is no plan {name!r} in models/{FOLDER}; set plan_name to one that is there.")
    return load(path)


def key_of(
    origin: Origin, sigmas: tuple[float, ...], speedup: float, kinds: frozenset[Kind], modalities: int = 0
) -> str:
    """One name for all samplings that share a learned plan for `kinds`; sizes within a factor of about 1.4 do.
    `modalities`: number of them, 0 for a latent that is one."""
    shown, size = [f"{sigma:.4g}" for sigma in sigmas], size_class(origin.cells)
    facts = (METHOD, names(kinds), origin.model, origin.weights, origin.sampler, shown, size, speedup, origin.guidance)
    several = (modalities,) if modalities else ()
    return sha256(repr(facts + several).encode()).hexdigest()[:16]


def size_class(cells: int) -> int:
    """log2 of the latent positions, rounded."""
    return round(log2(max(cells, 1)))


def cells_of(shape) -> int:
    """Latent positions of one sample of this shape."""
    return prod(shape[2:])


def unfinished(key: str) -> Path:
    """The folder for results of a calibration that may be interrupted. Others are dropped after a week, but links
    are left alone. Raises ConfigError where the folder is a link."""
    own = folder() / f"unfinished_{key}"
    for path in folder().glob("unfinished_*"):
        if path != own and not path.is_symlink() and time.time() - path.stat().st_mtime > LEFT:
            clear_results(path)
    if own.is_symlink():
        raise ConfigError(f"{own.name} in models/{FOLDER} is a link, and its target would be written to. Remove it.")
    return own


def learned(key: str) -> SavedPlan | None:
    """The plan that was learned under this key; None where there is none that can be read."""
    for path in library.found(folders(), key):
        try:
            return load(path)
        except ConfigError as error:
            log.warning("%s It is learned anew.", error)
    return _unsaved.get(key)


def worth_learning(key: str, origin: Origin) -> bool:
    """True if a plan can be expected to be used: the last ones for this model and sampler were, or the same sampling
    has come before. Where settings change with every picture, each plan would be learned in vain."""
    unused, seen = _lessons.setdefault((origin.weights, origin.sampler), ({}, set()))
    again = key in seen
    seen.add(key)
    return again or len(unused) < UNUSED


def used(key: str, origin: Origin) -> None:
    """Note that a picture goes by the plan under this key."""
    unused, _ = _lessons.get((origin.weights, origin.sampler), ({}, set()))
    unused.pop(key, None)


def why_unlearnable(key: str) -> str:
    """The reason why no plan can be learned under this key, from an earlier attempt; empty without one."""
    if key in unlearnable:
        return unlearnable[key]
    try:
        outcome = json.loads(start_of(_outcome(key), LONGEST_OUTCOME))
        return "".join(filter(str.isprintable, str(outcome["reason"])))[:LONGEST]
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def give_up(key: str, reason: str, lasting: bool) -> None:
    """Learn nothing under this key again: never if the reason is `lasting`, else until ComfyUI ends."""
    unlearnable[key] = reason
    if lasting:
        try:
            write_atomically(_outcome(key), json.dumps({"reason": reason}).encode())
        except OSError as error:
            log.warning("%s could not be saved (%s).", _outcome(key).name, error)


def _outcome(key: str) -> Path:
    return folder() / f"unlearnable_{key}.json"


def keep(key: str, plan: SavedPlan, subject: Subject = ("", "")) -> None:
    """Save a learned plan, in place of one that could not be read; where the disk does not take it, it holds until
    ComfyUI ends. `subject`: for the name of its file."""
    _lessons.setdefault((plan.origin.weights, plan.origin.sampler), ({}, set()))[0][key] = None
    try:
        own = library.found([folder()], key) or [Path(plan_name(plan, subject, key) + SUFFIX)]
        save(plan, path_of(own[0].name))
    except OSError as error:
        _unsaved[key] = plan
        log.warning("The plan could not be saved (%s); it is kept until ComfyUI ends.", error)
