"""A real ComfyUI with this pack, and a real browser.

They are there with a ComfyUI checkout (COMFYUI_DIR), its own interpreter (COMFY_PYTHON), node, Chromium and a folder with playwright-core
(PLAYWRIGHT_DIR); COMFY_FRONTEND may name another front end. The server gets this pack, and tiny_nodes.py.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.server import ServerError, serving

ROOT = Path(__file__).resolve().parents[2]
LAB = Path.home() / "comfy-lab"
COMFYUI = Path(os.environ.get("COMFYUI_DIR") or LAB / "ComfyUI")
PYTHON = os.environ.get("COMFY_PYTHON") or sys.executable
PLAYWRIGHT = Path(os.environ.get("PLAYWRIGHT_DIR") or LAB / "ui")
NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium") or shutil.which("google-chrome")
SHOTS = ROOT / "out" / "web"
MISSING = [what for what, there in {
    f"ComfyUI at {COMFYUI} (COMFYUI_DIR)": (COMFYUI / "main.py").is_file(), "node": NODE, "Chromium": CHROMIUM,
    f"playwright-core in {PLAYWRIGHT} (PLAYWRIGHT_DIR)": (PLAYWRIGHT / "node_modules" / "playwright-core").is_dir()}.items() if not there]


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is served."""
    if MISSING:
        pytest.skip("missing: " + ", ".join(MISSING))
    front = ("--front-end-root", os.environ["COMFY_FRONTEND"]) if os.environ.get("COMFY_FRONTEND") else ()
    packs = (ROOT, ROOT / "tests" / "web" / "tiny_nodes.py")
    with ExitStack() as running:
        try:
            address = running.enter_context(serving(COMFYUI, PYTHON, tmp_path_factory.mktemp("comfyui") / "base", packs, front))
        except ServerError as reason:
            pytest.skip(str(reason))
        yield address


@pytest.fixture(scope="session")
def drive(url: str) -> Callable[..., dict]:
    """A function that runs a script of this folder on the page and returns what it prints."""
    def run(script: str, *arguments: object) -> dict:
        SHOTS.mkdir(parents=True, exist_ok=True)
        command = [NODE, ROOT / "tests" / "web" / script, url, PLAYWRIGHT, CHROMIUM, SHOTS, *map(str, arguments)]
        driven = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert driven.returncode == 0, driven.stderr
        return json.loads(driven.stdout)
    return run
