"""Plan files: one safetensors file, with JSON for what is known of the plan and tensors for its weights. No pickle."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_safetensors

from ..errors import ConfigError, brief, check_range
from ..files import write_atomically
from ..noise_scale import OFF, NoiseScale
from ..plan import MOST_STEPS
from ..predictor import Extrapolation, Fit
from ..schedule import Table, TableAt
from ..site import MODULES, OUTPUT, Kind, names
from .costs import Costs
from .curves import BANDS, MOST_AGES, REUSED, STAGES, Curves
from .saved_plan import Origin, SavedPlan

NUMBERS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
KEY, VERSION = "feb_ab_cache_plan", 1
TENSORS = ("sigmas", "fits", "curves")  # other ones in a file are left alone: older packs wrote `expected`
BUNDLED = Path(__file__).parent / "bundled"  # published lists that come with the pack (scripts/make_plans.py)
MOST_BYTES, MOST_SAMPLES = 2**20, 8
MOST_WORDS = 400  # characters of what is wrong with a file, which quotes it
MOST_COUNTED = 2**53  # latent positions or samples


def save(plan: SavedPlan, path: Path) -> None:
    """Write `plan`; the folder is made if it is missing. Raises OSError where the disk does not take it; what was
    there then stays."""
    rows = [sorted(kind.value for kind in row) for row in plan.table.rows]
    facts = {
        "version": VERSION,
        "origin": asdict(plan.origin),
        "kinds": sorted(kind.value for kind in plan.table.kinds),
        "rows": rows,
        "order": plan.order,
        "drift": plan.drift,
        **_optional(plan),
    }
    tensors = {"sigmas": torch.tensor(plan.sigmas, dtype=torch.float64), "fits": packed(plan.fits)}
    if plan.curves:
        tensors["curves"] = torch.tensor(plan.curves.errors, dtype=torch.float64)
    write_atomically(path, as_safetensors(tensors, {KEY: json.dumps(facts)}))


def _optional(plan: SavedPlan) -> dict[str, dict]:
    """The facts that files of version 1 may lack: packs that do not know them read the rest."""
    given = {"corrector": plan.corrector if plan.corrector.active else None, "costs": plan.costs}
    return {name: asdict(value) for name, value in given.items() if value}


def load(path: Path) -> SavedPlan:
    """The plan in the file. Raises ConfigError for one that is missing, not ours, newer than this pack, or not a plan."""
    if not path.is_file():
        raise ConfigError(f"There is no plan {path.name}.")
    if path.stat().st_size > MOST_BYTES:
        raise ConfigError(
            f"{path.name} has {path.stat().st_size} bytes; a plan has {MOST_BYTES} at most. It is some other file."
        )
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {}).get(KEY, "null"))
            present = set(file.keys())
            tensors = {name: file.get_tensor(name) for name in TENSORS if name in present}
        return _plan(facts, tensors)
    except ConfigError as error:
        raise ConfigError(f"{path.name}: {brief(str(error), MOST_WORDS)}") from None
    except (
        SafetensorError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
        OSError,
    ) as error:
        raise ConfigError(
            f"{path.name} is not a plan of this pack, or is damaged ({type(error).__name__}). Calibrate again."
        ) from None


def _plan(facts: dict, tensors: dict[str, torch.Tensor]) -> SavedPlan:
    if facts is None:
        raise ConfigError("it is a safetensors file, but not a plan of this pack.")
    if facts["version"] != VERSION:
        given = brief(str(facts["version"]), 20)
        raise ConfigError(f"it has format {given}; this pack reads {VERSION}. Update the pack.")
    for name, tensor in tensors.items():
        if tensor.dtype not in NUMBERS:
            raise ConfigError(f"its {name} are {tensor.dtype}; {', '.join(map(str, NUMBERS))} are allowed.")
    sigmas, rows = tensors["sigmas"].double(), facts["rows"]
    if not 1 <= len(rows) <= MOST_STEPS or sigmas.shape != (len(rows) + 1,) or not sigmas.isfinite().all():
        raise ConfigError(
            f"it has {len(rows)} rows and sigmas of shape {tuple(sigmas.shape)}; 1 to {MOST_STEPS} and one more are "
            "allowed."
        )
    if (sigmas.diff() >= 0).any() or sigmas[-1] < 0:
        raise ConfigError("its sigmas do not fall towards 0.")
    kinds = frozenset(map(Kind, facts["kinds"]))
    if kinds != OUTPUT and (not kinds or not kinds <= MODULES):
        raise ConfigError(
            f"it is for {names(kinds) or 'nothing'}; it must be for the model's output, or for attention and mlp."
        )
    table = Table(kinds, tuple(frozenset(map(Kind, row)) for row in rows))
    return SavedPlan(
        _origin(facts["origin"]),
        TableAt(table, tuple(sigmas.tolist())),
        unpacked(tensors["fits"]),
        Extrapolation(int(facts["order"])).order,
        _drift(facts["drift"]),
        _corrector(facts.get("corrector")),
        _costs(facts.get("costs")),
        _curves(tensors.get("curves")),
    )


def _drift(given: float | None) -> float | None:
    if given is not None:
        check_range("drift", float(given), 0.0, sys.float_info.max)
    return None if given is None else float(given)


def _corrector(given: dict | None) -> NoiseScale:
    if given is None:
        return OFF
    return NoiseScale(*(float(given[name]) for name in ("high", "low", "boundary")), staged=bool(given["staged"]))


def _costs(given: dict | None) -> Costs | None:
    return (
        None
        if given is None
        else Costs(**{name: float(given[name]) for name in ("attention", "mlp", "both", "merged")})
    )


def _curves(given: torch.Tensor | None) -> Curves | None:
    """Raises ConfigError unless it has the four axes of Curves, and errors that are no less than 0 or NaN."""
    if given is None:
        return None
    if (
        given.ndim != 4
        or given.shape[:3] != (len(STAGES), len(REUSED), len(BANDS))
        or not 1 <= given.shape[3] <= MOST_AGES
        or (given < 0).any()
        or given.isinf().any()
    ):
        raise ConfigError(f"its error curves have shape {tuple(given.shape)}, or values that no error has.")

    def nested(values: list) -> tuple:
        return tuple(nested(v) if isinstance(v, list) else v for v in values)

    return Curves(nested(given.double().tolist()))


def _origin(given: dict) -> Origin:
    """Its words on one line each: they are shown, and written to the log."""
    words = {
        name: "".join(filter(str.isprintable, str(given[name])[:200]))
        for name in ("model", "weights", "sampler", "made")
    }
    words["guidance"] = "".join(filter(str.isprintable, str(given.get("guidance", ""))[:200]))
    counts = {name: int(given[name]) for name in ("cells", "samples")}
    for name, count in counts.items():
        check_range(name, count, 0, MOST_COUNTED)
    return Origin(**words, **counts)


def packed(fits: Sequence[Fit]) -> torch.Tensor:
    """One row for each fit: at, nodes, weights, with NaN behind the last of both; float64."""
    width = max((len(fit.nodes) for fit in fits), default=0)
    rows = [(fit.at, *_padded(fit.nodes, width), *_padded(fit.weights, width)) for fit in fits]
    return torch.tensor(rows, dtype=torch.float64).reshape(len(fits), 1 + 2 * width)


def _padded(values: Sequence[float], width: int) -> tuple[float, ...]:
    return (*values, *(float("nan"),) * (width - len(values)))


def unpacked(rows: torch.Tensor) -> tuple[Fit, ...]:
    """What `packed` was given. Raises ConfigError for rows of another form."""
    width = (rows.shape[-1] - 1) // 2
    if rows.ndim != 2 or rows.shape[1] != 1 + 2 * width or width > MOST_SAMPLES or len(rows) > MOST_STEPS:
        raise ConfigError(f"its weights have shape {tuple(rows.shape)}.")
    return tuple(_fit(row[0], row[1 : 1 + width], row[1 + width :]) for row in rows.double())


def _fit(at: torch.Tensor, nodes: torch.Tensor, weights: torch.Tensor) -> Fit:
    given = nodes.isfinite()
    count = int(given.sum())
    if (
        not at.isfinite()
        or not count
        or not given[:count].all()
        or not weights[:count].isfinite().all()
        or weights.abs().nan_to_num(0).max() > 1e3
    ):
        raise ConfigError("its weights are not finite, or larger than 1000.")
    return Fit(float(at), tuple(nodes[:count].tolist()), tuple(weights[:count].tolist()))
