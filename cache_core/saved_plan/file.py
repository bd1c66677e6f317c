"""Plan files: safetensors, with the plan's facts as JSON and its sigmas, weights and curves as tensors. No pickle."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_safetensors
from torch import Tensor

from ..errors import ConfigError, brief, check_range
from ..files import write_atomically
from ..noise_scale import OFF, NoiseScale
from ..plan import MOST_STEPS
from ..predictor import Extrapolation, Fit
from ..schedule import Table, TableAt
from ..site import BRANCHES, MODULES, OUTPUT, Kind, names
from .costs import Costs
from .curves import BANDS, MOST_AGES, REUSED, STAGES, Curves
from .saved_plan import Origin, SavedPlan

KEY, VERSION = "feb_ab_cache_plan", 1
MOST_MODALITIES = 4
OTHERS = tuple(f"fits_{place}" for place in range(1, MOST_MODALITIES))  # of the modalities behind the first
TENSORS = ("sigmas", "fits", *OTHERS, "curves")  # others in a file are left alone: older packs wrote `expected`
NUMBERS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
BUNDLED = Path(__file__).parent / "bundled"  # published lists that come with the pack (scripts/make_plans.py)
MOST_BYTES, MOST_SAMPLES, MOST_WEIGHT = 2**20, 8, 1000
MOST_COUNTED = 2**53  # latent positions or samples
MOST_LETTERS = 200  # of a word in the origin
MOST_WORDS = 400  # characters of an error message, which quotes the file
REMEDY = "Calibrate again, or load another plan."
# exceptions that facts of a wrong type or form raise
WRONG = (SafetensorError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, OSError)


def save(plan: SavedPlan, path: Path) -> None:
    """Write `plan`; the folder is made if it is missing.

    Raises OSError where the disk does not take the file; the old one then stays.
    """
    facts = {
        "version": VERSION,
        "origin": asdict(plan.origin),
        "kinds": sorted(kind.value for kind in plan.table.kinds),
        "rows": [sorted(kind.value for kind in row) for row in plan.table.rows],
        "order": plan.order,
        "drift": plan.drift,
        **_optional(plan),
    }
    tensors = {"sigmas": torch.tensor(plan.sigmas, dtype=torch.float64), "fits": packed(plan.fits)}
    tensors |= {name: packed(fits) for name, fits in zip(OTHERS, plan.others, strict=False)}
    if plan.curves:
        tensors["curves"] = torch.tensor(plan.curves.errors, dtype=torch.float64)
    write_atomically(path, as_safetensors(tensors, {KEY: json.dumps(facts)}))


def _optional(plan: SavedPlan) -> dict[str, dict]:
    """Facts that files of version 1 may lack: packs that do not know them read the rest."""
    given = {"corrector": plan.corrector if plan.corrector.active else None, "costs": plan.costs}
    drifts = {"drifts": dict(plan.drifts)} if plan.drifts else {}
    return {name: asdict(value) for name, value in given.items() if value} | drifts


def load(path: Path) -> SavedPlan:
    """Plan in the file. Raises ConfigError, by the file's name, for a file that is missing or no plan of this pack."""
    if not path.is_file():
        raise ConfigError(f"There is no plan {path.name}. Load another one.")
    if path.stat().st_size > MOST_BYTES:
        raise ConfigError(
            f"{path.name} has {path.stat().st_size} bytes; a plan has {MOST_BYTES} at most. It is some other file: "
            "load another one."
        )
    try:
        return _plan(*_read(path))
    except ConfigError as error:
        raise ConfigError(f"{path.name}: {brief(str(error), MOST_WORDS)} {REMEDY}") from None
    except WRONG as error:
        raise ConfigError(
            f"{path.name} is not a plan of this pack, or is damaged ({type(error).__name__}). {REMEDY}"
        ) from None


def _read(path: Path) -> tuple[dict, dict[str, Tensor]]:
    """Facts and tensors of a file of the current version. Raises ConfigError for another one."""
    with safe_open(path, "pt") as file:
        facts = json.loads((file.metadata() or {}).get(KEY, "null"))
        present = set(file.keys())
        tensors = {name: file.get_tensor(name) for name in TENSORS if name in present}
    if facts is None:
        raise ConfigError("it is a safetensors file, but not a plan of this pack.")
    if facts["version"] != VERSION:
        given = brief(str(facts["version"]), 20)
        raise ConfigError(f"it has format {given}; this pack reads {VERSION}. Update the pack.")
    return facts, tensors


def _plan(facts: dict, tensors: dict[str, Tensor]) -> SavedPlan:
    for name, tensor in tensors.items():
        if tensor.dtype not in NUMBERS:
            raise ConfigError(f"its {name} are {tensor.dtype}; {', '.join(map(str, NUMBERS))} are allowed.")
    sigmas = _sigmas(tensors["sigmas"], len(facts["rows"]))
    table = Table(_kinds(facts["kinds"]), tuple(frozenset(map(Kind, row)) for row in facts["rows"]))
    return SavedPlan(
        _origin(facts["origin"]),
        TableAt(table, sigmas),
        unpacked(tensors["fits"]),
        Extrapolation(int(facts["order"])).order,
        _drift(facts["drift"]),
        _corrector(facts.get("corrector")),
        _costs(facts.get("costs")),
        _curves(tensors.get("curves")),
        tuple(unpacked(tensors[name]) for name in OTHERS if name in tensors),
        _drifts(facts.get("drifts", {})),
    )


def _sigmas(given: Tensor, rows: int) -> tuple[float, ...]:
    """Sigmas from a tensor `(rows + 1,)`. Raises ConfigError unless they are finite and fall towards 0."""
    if not 1 <= rows <= MOST_STEPS or given.shape != (rows + 1,) or not given.isfinite().all():
        raise ConfigError(
            f"it has {rows} rows and sigmas of shape {tuple(given.shape)}; allowed are 1 to {MOST_STEPS} rows, and one "
            "finite sigma more."
        )
    sigmas = given.double()
    if (sigmas.diff() >= 0).any() or sigmas[-1] < 0:
        raise ConfigError("its sigmas do not fall towards 0.")
    return tuple(sigmas.tolist())


def _kinds(given: Sequence[str]) -> frozenset[Kind]:
    kinds = frozenset(map(Kind, given))
    if kinds not in (OUTPUT, BRANCHES) and (not kinds or not kinds <= MODULES):
        raise ConfigError(
            f"it is for {names(kinds) or 'nothing'}; it must be for the model's output, for guidance, or for attention "
            "and mlp."
        )
    return kinds


def _drift(given: float | None) -> float | None:
    if given is None:
        return None
    check_range("drift", float(given), 0.0, sys.float_info.max)
    return float(given)


def _drifts(given: dict) -> tuple[tuple[str, float], ...]:
    """Drifts of the modalities. Raises ConfigError for more than there can be."""
    check_range("modalities", len(given), 0, MOST_MODALITIES)
    return tuple((_word(name), _drift(drift) or 0.0) for name, drift in given.items())


def _corrector(given: dict | None) -> NoiseScale:
    if given is None:
        return OFF
    high, low, boundary = (float(given[name]) for name in ("high", "low", "boundary"))
    return NoiseScale(high, low, boundary, bool(given["staged"]))


def _costs(given: dict | None) -> Costs | None:
    if given is None:
        return None
    return Costs(**{name: float(given[name]) for name in ("attention", "mlp", "both", "merged")})


def _curves(given: Tensor | None) -> Curves | None:
    """Curves from a tensor `(2, 3, 2, ages)`. Raises ConfigError for another shape, and for values below 0 or inf."""
    if given is None:
        return None
    shaped = given.ndim == 4 and given.shape[:3] == (len(STAGES), len(REUSED), len(BANDS))
    if not shaped or not 1 <= given.shape[3] <= MOST_AGES or (given < 0).any() or given.isinf().any():
        raise ConfigError(f"its error curves have shape {tuple(given.shape)}, or values that no error has.")

    def nested(values: list) -> tuple:
        return tuple(nested(v) if isinstance(v, list) else v for v in values)

    return Curves(nested(given.double().tolist()))


def _origin(given: dict) -> Origin:
    cells, samples = int(given["cells"]), int(given["samples"])
    check_range("cells", cells, 0, MOST_COUNTED)
    check_range("samples", samples, 0, MOST_COUNTED)
    model, weights, sampler, made = (_word(given[name]) for name in ("model", "weights", "sampler", "made"))
    return Origin(model, weights, sampler, cells, samples, made, _word(given.get("guidance", "")))


def _word(given: object) -> str:
    """Printable characters of a fact, on one line: it is shown, and written to the log."""
    return "".join(filter(str.isprintable, str(given)[:MOST_LETTERS]))


def packed(fits: Sequence[Fit]) -> Tensor:
    """Fits as `(len(fits), 1 + 2 width)`, float64: at, nodes, weights; NaN behind the last of both."""
    width = max((len(fit.nodes) for fit in fits), default=0)
    rows = [(fit.at, *_padded(fit.nodes, width), *_padded(fit.weights, width)) for fit in fits]
    return torch.tensor(rows, dtype=torch.float64).reshape(len(fits), 1 + 2 * width)


def _padded(values: Sequence[float], width: int) -> tuple[float, ...]:
    return (*values, *(float("nan"),) * (width - len(values)))


def unpacked(rows: Tensor) -> tuple[Fit, ...]:
    """Fits of the rows `(K, 1 + 2 width)` that `packed` made. Raises ConfigError for one of another form."""
    width = (rows.shape[-1] - 1) // 2
    if rows.ndim != 2 or rows.shape[1] != 1 + 2 * width or width > MOST_SAMPLES or len(rows) > MOST_STEPS:
        raise ConfigError(
            f"its weights have shape {tuple(rows.shape)}; allowed are {MOST_STEPS} rows of 1 + 2 n numbers, n up to "
            f"{MOST_SAMPLES}."
        )
    return tuple(_fit(row[0], row[1 : 1 + width], row[1 + width :]) for row in rows.double())


def _fit(at: Tensor, nodes: Tensor, weights: Tensor) -> Fit:
    """Fit of one row: `at` `()`, `nodes` and `weights` `(width,)`, NaN behind the last of both."""
    given = nodes.isfinite()
    count = int(given.sum())
    whole = count and at.isfinite() and given[:count].all() and weights[:count].isfinite().all()
    if not whole or weights.abs().nan_to_num(0).max() > MOST_WEIGHT:
        raise ConfigError(f"its weights are not finite, or larger than {MOST_WEIGHT}.")
    return Fit(float(at), tuple(nodes[:count].tolist()), tuple(weights[:count].tolist()))
