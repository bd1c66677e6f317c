"""Many prompts on one real ComfyUI server: does each setting give the same latent every time, and does memory stay
flat?

    python3 -m tests.stress.soak --comfyui DIR [--prompts 200]

Writes lab/results/soak.json. Three tiny models (FLUX, HunyuanVideo, Wan) of ComfyUI's own classes, made anew when
the model changes, each with every setting below, in shuffled rounds. Latents of a setting are compared by SHA-256. A
setting that learns has two results: the first picture is the uncached one, bit for bit, the later ones share the
plan. Memory is the process's resident set at the end of each prompt, after collecting garbage; the first two rounds
are the warm-up. Needs ComfyUI's interpreter (COMFY_PYTHON, or one beside the checkout), with pytest.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from scripts.environment import comfyui_interpreter

from .server import ROOT, asked, defaults, queue, result, serving

NODES = Path(__file__).with_name("soak_nodes.py")
RESULTS = ROOT / "lab" / "results" / "soak.json"
FAMILIES = ("flux", "hunyuan_video", "wan")
FEB, AB = "FEBCacheApply", "ABCacheApply"
UNCACHED, LEARNS = "uncached", "AB-Cache auto, learns"
STAGES = {"preset": "custom", "attention_interval": 3, "mlp_interval": 3, "fragile_interval": 2, "warmup_steps": 2}
SETTINGS: dict[str, tuple[list[tuple[str, dict]], dict]] = {  # nodes with their moved widgets, and the sampler's
    UNCACHED: ([], {}),
    "FEB-Cache balanced": ([(FEB, {"preset": "balanced", "learn": False})], {}),
    "FEB-Cache stage rule, order 2": ([(FEB, {**STAGES, "predictor": "order 2"})], {"sampler_name": "dpmpp_2m"}),
    "FEB-Cache stage rule, 0.5 GB": ([(FEB, {**STAGES, "memory": 0.5})], {"cfg": 1.0}),
    "FEB-Cache paper, heun": ([(FEB, {"preset": "paper"})], {"sampler_name": "heun"}),
    "AB-Cache balanced": ([(AB, {"preset": "balanced", "learn": False})], {}),
    "AB-Cache order 3, after guidance": (
        [(AB, {"preset": "custom", "order": 3, "interval": 3, "warmup_steps": 4, "after_guidance": True})],
        {},
    ),
    "AB-Cache tolerance": (
        [(AB, {"preset": "custom", "interval": 6, "warmup_steps": 3, "tolerance": 0.1})],
        {"sampler_name": "euler_ancestral"},
    ),
    LEARNS: ([(AB, {"preset": "auto"})], {}),
    "both": ([(AB, {"preset": "fast", "learn": False}), (FEB, {"preset": "fast"})], {"denoise": 0.8}),
    "refused": ([(AB, {"preset": "custom", "tolerance": 0.1}), (FEB, {"preset": "fast"})], {}),
}
SAMPLER = {"seed": 1, "steps": 16, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}


def prompt(family: str, setting: str, widgets: dict[str, dict]) -> dict:
    """The API-format prompt. `widgets`: the nodes' defaults."""
    nodes, sampler = SETTINGS[setting]
    graph, model = {"1": {"class_type": "SoakModel", "inputs": {"family": family}}}, ["1", 0]
    for number, (node, moved) in enumerate(nodes, 10):
        graph[str(number)] = {"class_type": node, "inputs": {**widgets[node], **moved, "model": model}}
        model = [str(number), 0]
    inputs = {
        **SAMPLER,
        **sampler,
        "model": model,
        "positive": ["1", 1],
        "negative": ["1", 2],
        "latent_image": ["1", 3],
    }
    return graph | {
        "2": {"class_type": "KSampler", "inputs": inputs},
        "3": {"class_type": "SoakDigest", "inputs": {"samples": ["2", 0]}},
    }


def order(count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """`count` pairs of model and setting: rounds of all of them, each shuffled, none the same as the one before it."""
    chance, before = random.Random(seed), None
    pairs = [(family, setting) for family in FAMILIES for setting in SETTINGS]
    for _ in range(-(-count // len(pairs))):
        chance.shuffle(pairs)
        if pairs[0] == before:
            pairs.append(pairs.pop(0))
        before = pairs[-1]
        yield from pairs[: min(count, len(pairs))]
        count -= len(pairs)


def outcome(history: dict) -> dict:
    """What a prompt came to: `sha256`, `finite` and `bytes`, or the kind of its `error`."""
    errors = [said for name, said in history["status"]["messages"] if name == "execution_error"]
    if errors:
        return {"error": errors[0]["exception_type"], "text": errors[0]["exception_message"]}
    return {name: value[0] for name, value in history["outputs"]["3"].items()}


def failures(rows: list[dict]) -> list[str]:
    """What is wrong with the results, in words: a setting that differs from its first result, or fails, or is not
    refused as it should be."""
    wrong, first = [], {}
    for row in rows:
        name = f"prompt {row['prompt']}: {row['family']}, {row['setting']}"
        if row["setting"] == "refused":
            wrong += [] if "ConfigError" in row.get("error", "") else [f"{name} is not refused"]
        elif "error" in row or not row["finite"]:
            wrong.append(f"{name} fails: {row.get('text', 'not finite')}")
        else:
            key, place = (row["family"], row["setting"]), 0
            if row["setting"] == LEARNS:
                place = min(1, sum((r["family"], r["setting"]) == key for r in rows[: row["prompt"]]))
            plain = (row["family"], UNCACHED) if row["setting"] == LEARNS and not place else key
            if first.setdefault((*plain, place), row["sha256"]) != row["sha256"]:
                wrong.append(f"{name} differs from its first result")
    return wrong


def memory(rows: list[dict], warmup: int) -> dict:
    """The resident set after the first `warmup` prompts, in MB: the median of the first and of the last quarter, and
    how far it grew, in per cent."""
    sizes = [row["bytes"] / 2**20 for row in rows[warmup:] if "bytes" in row]
    quarter = max(1, len(sizes) // 4)
    early, late = median(sizes[:quarter]), median(sizes[-quarter:])
    return {
        "first_quarter_mb": round(early, 1),
        "last_quarter_mb": round(late, 1),
        "largest_mb": round(max(sizes), 1),
        "growth_percent": round(100 * (late / early - 1), 2),
    }


def soak(url: str, chosen: Sequence[tuple[str, str]]) -> list[dict]:
    """One row for each pair of model and setting, in the order in which they are queued."""
    widgets = {node: defaults(url, node) for node in (FEB, AB)}
    ids = queue(url, [prompt(*pair, widgets) for pair in chosen])
    rows = []
    for number, ((family, setting), prompt_id) in enumerate(zip(chosen, ids, strict=True)):
        rows.append({"prompt": number, "family": family, "setting": setting, **outcome(result(url, prompt_id))})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def summary(rows: list[dict], version: str, seconds: float) -> dict:
    pairs = len(FAMILIES) * len(SETTINGS)
    return {
        "comfyui": version,
        "prompts": len(rows),
        "models": list(FAMILIES),
        "settings": list(SETTINGS),
        "seconds": round(seconds),
        "failures": failures(rows),
        "memory": memory(rows, min(2 * pairs, len(rows) // 2)),
        "megabytes": [round(row["bytes"] / 2**20, 1) if "bytes" in row else None for row in rows],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comfyui", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    comfyui, packs = args.comfyui.resolve(), {"cloned": ROOT, NODES.name: NODES}
    with (
        tempfile.TemporaryDirectory() as base,
        serving(
            comfyui, comfyui_interpreter(comfyui), Path(base) / "comfyui", packs, port=args.port, templates=False
        ) as url,
    ):
        started = time.monotonic()
        rows = soak(url, list(order(args.prompts)))
        found = summary(rows, asked(f"{url}/system_stats")["system"]["comfyui_version"], time.monotonic() - started)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({key: value for key, value in found.items() if key != "megabytes"}, indent=1))
    return 1 if found["failures"] or found["memory"]["growth_percent"] > 2 else 0


if __name__ == "__main__":
    sys.exit(main())
