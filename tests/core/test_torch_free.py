"""Rooms that decide, and hold no tensors, are imported without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    *("errors", "site", "timeline", "plan", "schedule", "predictor", "noise_scale", "settings"),
    *("run.agenda", "hosts.spec", "saved_plan.saved_plan"),
)
IMPORTING = """
import importlib, sys, types
root, name = sys.argv[1:]
sys.modules["torch"] = None  # importing it raises ModuleNotFoundError
for package in ("cache_core", "cache_core.hosts"):  # without what their own __init__ imports
    sys.modules[package] = types.ModuleType(package)
    sys.modules[package].__path__ = ["/".join((root, *package.split(".")))]
importlib.import_module(name)
"""


@pytest.mark.parametrize("room", ROOMS)
def test_no_torch_is_needed(room):
    command = [sys.executable, "-B", "-c", IMPORTING, ROOT.as_posix(), f"cache_core.{room}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
