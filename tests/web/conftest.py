"""A real ComfyUI with this pack, and a real browser.

They are there with a ComfyUI checkout (COMFYUI_DIR), its own interpreter (COMFY_PYTHON), node, Chromium and a folder with playwright-core
(PLAYWRIGHT_DIR); COMFY_FRONTEND may name another front end. The server gets this pack, and tiny_nodes.py.
"""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

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
def script() -> ModuleType:
    """make_workflows.py."""
    spec = importlib.util.spec_from_file_location("make_workflows", ROOT / "scripts" / "make_workflows.py")
    sys.modules["make_workflows"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's folder, with models, and with the example picture that comes with ComfyUI."""
    if MISSING:
        pytest.skip("missing: " + ", ".join(MISSING))
    base = tmp_path_factory.mktemp("comfyui")
    (base / "input").mkdir()
    shutil.copy(COMFYUI / "input" / "example.png", base / "input")
    return base


@pytest.fixture(scope="session")
def url(base: Path) -> Iterator[str]:
    """Where the page is served."""
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "cloned").symlink_to(ROOT)  # the folder need not be named as in pyproject.toml
    (base / "custom_nodes" / "tiny_nodes.py").symlink_to(ROOT / "tests" / "web" / "tiny_nodes.py")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PYTHON, "-W", "ignore", "main.py", "--cpu", "--port", str(port), "--base-directory", str(base), "--disable-api-nodes"]
    if os.environ.get("COMFY_FRONTEND"):
        command += ["--front-end-root", os.environ["COMFY_FRONTEND"]]
    with (base / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=COMFYUI, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        for _ in range(240):
            if server.poll() is not None:
                pytest.skip("ComfyUI does not start: " + (base / "log").read_text().strip().splitlines()[-1])
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/system_stats", timeout=2).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


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
