"""Tiny workflows, and scripts/learn.py run on them in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from comfy_models import COMFYUI

from cache_core.settings.ab import DEFAULTS

ROOT = Path(__file__).resolve().parents[2]
NODES = ROOT / "tests" / "stress" / "fleet_nodes.py"
IMAGE = {"class_type": "EmptySD3LatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}
VIDEO = {"class_type": "EmptyHunyuanLatentVideo", "inputs": {"width": 64, "height": 64, "length": 9, "batch_size": 1}}
APPLY = {"preset": "auto", **DEFAULTS}


def workflow(family="flux", sampler="euler", cfg=3.0, preset="auto", steps=12, between=None):
    """A prompt in API format: a tiny model, AB-Cache Apply (none if `preset` is empty), KSampler and an end. `between`:
    a node between the model and AB-Cache Apply."""
    made = {"1": {"class_type": "SoakModel", "inputs": {"family": family}}, "2": IMAGE if family == "flux" else VIDEO}
    model = ["1", 0]
    if between:
        made["6"] = {"class_type": between[0], "inputs": {**between[1], "model": model}}
        model = ["6", 0]
    if preset:
        made["3"] = {"class_type": "ABCacheApply", "inputs": {**APPLY, "preset": preset, "model": model}}
        model = ["3", 0]
    inputs = {"seed": 1, "steps": steps, "cfg": cfg, "sampler_name": sampler, "scheduler": "simple", "denoise": 1.0}
    links = {"model": model, "positive": ["1", 1], "negative": ["1", 2], "latent_image": ["2", 0]}
    made["4"] = {"class_type": "KSampler", "inputs": {**inputs, **links}}
    return {**made, "5": {"class_type": "SoakDigest", "inputs": {"samples": ["4", 0]}}}


def chain():
    """Two samplers, the second of which goes on with the latent of the first."""
    made = workflow()
    second = {**made["4"]["inputs"], "latent_image": ["4", 0], "denoise": 0.75, "seed": 2}
    return {**made, "7": {"class_type": "KSampler", "inputs": second}}


def put(folder, **workflows):
    """Files of workflows, by name."""
    files = [folder / f"{name}.json" for name in workflows]
    for file, content in zip(files, workflows.values(), strict=True):
        file.write_text(content if isinstance(content, str) else json.dumps(content))
    return files


def base(folder):
    """A folder for a ComfyUI with the test's nodes."""
    (folder / "base" / "custom_nodes").mkdir(parents=True, exist_ok=True)
    target = folder / "base" / "custom_nodes" / NODES.name
    if not target.exists():
        target.symlink_to(NODES)
    return folder / "base"


def command(folder, *arguments):
    """The command line of the script, with a ComfyUI that has the test's nodes."""
    own = [sys.executable, "-B", str(ROOT / "scripts" / "learn.py"), *map(str, arguments)]
    return [*own, "--", "--base-directory", str(base(folder))]


def environment():
    return {**os.environ, "COMFYUI_DIR": str(COMFYUI), "OMP_NUM_THREADS": "1"}


def learn(folder, *arguments):
    """The exit status, what is said, and the report of a run."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    done = subprocess.run(
        command(folder, *arguments, "--report", report), env=environment(), capture_output=True, text=True, timeout=600
    )
    found = json.loads(report.read_text()) if report.is_file() else {}
    return done.returncode, done.stdout + done.stderr, found


def plans(folder):
    """The plan files of a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
