"""Plan files that are damaged or hostile, one for each seed."""

import json
import random
from collections.abc import Callable

import torch
from safetensors.torch import save

KEY = "feb_ab_cache_plan"
STEPS = 12
HUGE = (10**400, -(10**400), 2**63, 1e308, -1e308, 1e999, -1e999, float("nan"))
ODD = (
    *(None, True, False, 0, -1, 1, 1.5, "", "0", "nan", "model", "attention", [], {}, [[]], [None], {"a": 1}),
    *(["model"], "x" * 50_000, "\x00", "\ud800", "a\nb\x1b[31m", "\u202egpj", "<img src=x onerror=alert(1)>"),
    *("../../x", [0] * 20_000, *HUGE),
)
VALUES = (0.0, -0.0, -1.0, 1e-320, 1e3, 1e300, float("inf"), float("-inf"), float("nan"))
TYPES = tuple(
    t
    for t in vars(torch).values()
    if isinstance(t, torch.dtype) and not str(t).startswith(("torch.q", "torch.bits", "torch.complex32"))
)
SHAPES = (
    *((), (0,), (1,), (STEPS,), (STEPS + 1,), (5, 0), (0, 5), (2, 5), (2, 4), (3, 17), (3, 19), (2000, 3)),
    *((2, 3, 2, 4), (2, 3, 2, 0), (2, 3, 2, 65), (8, 1, 1, 1), (1, 1, 1, 9000), (60_000, 1, 1, 1), (1,) * 9),
)
BASE_FACTS = {
    "version": 1,
    "origin": {"model": "Flux", "weights": "abc", "sampler": "euler", "cells": 256, "samples": 2, "made": "2026-01-01"},
    "order": 2,
    "drift": 0.01,
}


def whole(chance: random.Random) -> tuple[dict, dict[str, torch.Tensor]]:
    """The facts and tensors of a plan that is sound: of the model's output, or of attention and MLP with all that a
    plan can have."""
    kinds = chance.choice((["model"], ["attention", "mlp"]))
    rows = [kinds if step == 0 or chance.random() < 0.5 else [] for step in range(STEPS)]
    sigmas = torch.linspace(1, 0, STEPS + 1, dtype=torch.float64)
    nan = float("nan")
    fits = torch.tensor([[0.8, 0.8, 0.9, 1.1, -0.1], [0.7, 0.8, nan, 1.0, nan]], dtype=torch.float64)
    facts = {**BASE_FACTS, "kinds": kinds, "rows": rows}
    tensors = {"sigmas": sigmas, "fits": fits, "expected": torch.rand(3, 2).double()}
    if len(kinds) == 2:
        facts |= {
            "corrector": {"high": 0.98, "low": 0.96, "boundary": 0.4, "staged": True},
            "costs": {"attention": 0.7, "mlp": 0.6, "both": 0.2, "merged": 0.1},
        }
        tensors["curves"] = torch.rand(2, 3, 2, 5).double()
    return json.loads(json.dumps(facts)), tensors


def as_bytes(facts: object, tensors: dict[str, torch.Tensor]) -> bytes:
    return save(tensors, {KEY: facts if isinstance(facts, str) else json.dumps(facts)})


def cut(chance: random.Random) -> bytes:
    content = as_bytes(*whole(chance))
    return content[: chance.randrange(len(content))]


def flipped(chance: random.Random) -> bytes:
    content = bytearray(as_bytes(*whole(chance)))
    for _ in range(chance.choice((1, 1, 2, 8, 50))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def moved(chance: random.Random) -> bytes:
    """With a piece taken out, doubled or made up."""
    content = as_bytes(*whole(chance))
    at, length = chance.randrange(len(content)), chance.randrange(1, 64)
    between = chance.choice((b"", content[at : at + length] * 2, chance.randbytes(length)))
    return content[:at] + between + content[at + length :]


def header(chance: random.Random) -> bytes:
    """With another length of its header, or another place, type or shape of a tensor in it."""
    content = as_bytes(*whole(chance))
    length = int.from_bytes(content[:8], "little")
    if chance.random() < 0.4:
        wrong = chance.choice((0, 1, length - 1, length + 1, 10**6, 10**8 + 1, 2**31, 2**32, 2**63, 2**64 - 1))
        return wrong.to_bytes(8, "little") + content[8:]
    known = json.loads(content[8 : 8 + length])
    tensor = known[chance.choice([name for name in known if name != "__metadata__"])]
    field = chance.choice(("data_offsets", "shape", "dtype"))
    tensor[field] = chance.choice(
        (*ODD[:-1], [0, 2**62], [8, 0], [0, 8], [2**31, 2**33], [-1, 8], [10**9] * 3, "F64", "F4", "C64", "F8_E4M3")
    )
    text = json.dumps(known).encode(errors="replace")
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def tensor(chance: random.Random) -> bytes:
    """With a tensor of other values, type or shape, or without one."""
    facts, tensors = whole(chance)
    name = chance.choice(("sigmas", "fits", "curves", "expected"))
    if chance.random() < 0.1:
        tensors.pop(name, None)
    elif name in tensors and chance.random() < 0.5:
        flat = tensors[name].flatten()
        flat[chance.randrange(len(flat))] = chance.choice(VALUES)
    else:
        shape = chance.choice((*SHAPES, tuple(tensors[name].shape) if name in tensors else (1,)))
        filled = torch.full(shape, chance.choice(VALUES), dtype=torch.float64)
        same = name in tensors and tuple(tensors[name].shape) == shape
        tensors[name] = _cast(tensors[name] if same else filled, chance.choice(TYPES))
    return as_bytes(facts, tensors)


def _cast(given: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """`given` in any type that files can hold; where torch or the format has no such, as bytes."""
    try:
        save({"x": given.to(dtype)})
        return given.to(dtype).contiguous()
    except (RuntimeError, KeyError, TypeError, NotImplementedError):
        return torch.zeros(given.shape, dtype=torch.uint8)


def fact(chance: random.Random) -> bytes:
    """With one to three facts of another value, or gone."""
    facts, tensors = whole(chance)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        place, key = chance.choice(_places(facts))
        if chance.random() < 0.1:
            del place[key]
        else:
            place[key] = chance.choice(ODD)
        if not facts:
            break
    return as_bytes(facts, tensors)


def _places(given: object) -> list[tuple[object, object]]:
    """Every container in `given` with each of its keys."""
    keys = list(given) if isinstance(given, dict) else range(min(len(given), 20)) if isinstance(given, list) else ()
    return [place for key in keys for place in ((given, key), *_places(given[key]))]


def metadata(chance: random.Random) -> bytes:
    """With metadata that are no facts."""
    _, tensors = whole(chance)
    depth = chance.choice((10, 1000, 100_000))
    texts = (
        *("", "{", "null", "[]", "3", '"x"', "NaN", "[" * depth, '{"a":' * depth, "[" * depth + "]" * depth),
        *("9" * 5000, "[" + "{}," * 300_000 + "0]", '{"version": 1, "version": 2}', "\x00", "é" * 1000),
        *(json.dumps({"version": 1}), json.dumps({**BASE_FACTS, "rows": [[]] * 100_000})),
    )
    return as_bytes(chance.choice(texts), tensors)


def large(chance: random.Random) -> bytes:
    """Of many or of large tensors."""
    facts, tensors = whole(chance)
    size = chance.choice((10_000, 120_000, 200_000))
    fill = torch.zeros(size, dtype=chance.choice((torch.uint8, torch.float16, torch.float64)))
    shape = chance.choice(((size,), (size, 1), (1, size), (size, 1, 1, 1), (1, 1, 1, size)))
    tensors[chance.choice(("sigmas", "fits", "curves", "expected", "other"))] = fill.reshape(shape)
    if chance.random() < 0.3:
        tensors |= {f"t{i}": torch.zeros(1) for i in range(chance.choice((10, 2000)))}
    return as_bytes(facts, tensors)


def noise(chance: random.Random) -> bytes:
    any_bytes, zeros = chance.randbytes(chance.randrange(1, 3000)), bytes(chance.randrange(1, 3000))
    pickled = b"\x80\x04cos\nsystem\n(S'x'\ntR."
    return chance.choice((b"", any_bytes, zeros, b"\xff" * 100, b"PK\x03\x04" + bytes(100), pickled))


CHANGES: tuple[Callable[[random.Random], bytes], ...] = (
    *(cut, flipped, moved, header),
    *(tensor, tensor, fact, fact, fact),
    *(metadata, large, noise),
)


def damaged(seed: int) -> tuple[str, bytes]:
    """The name of a change, and the bytes of a plan file after it; the same for the same seed."""
    chance = random.Random(seed)
    torch.manual_seed(seed)
    change = CHANGES[seed % len(CHANGES)]
    return change.__name__, change(chance)
