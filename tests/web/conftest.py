"""A real ComfyUI with this pack, and a real browser.

They are there with a ComfyUI checkout (COMFYUI_DIR), its own interpreter (COMFY_PYTHON), node, Chromium and a folder with playwright-core
(PLAYWRIGHT_DIR); COMFY_FRONTEND may name another front end. The server gets this pack, and tiny_nodes.py.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

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


@contextmanager
def served(base: Path, pack: Path) -> Iterator[str]:
    """Where the page is served, with this pack in the empty folder `base`."""
    if MISSING:
        pytest.skip("missing: " + ", ".join(MISSING))
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "cloned").symlink_to(pack)  # the folder need not be named as in pyproject.toml
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


def driven(url: str, script: str, *arguments: object) -> dict:
    """What a script of this folder prints, run on the page."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    command = [NODE, ROOT / "tests" / "web" / script, url, PLAYWRIGHT, CHROMIUM, SHOTS, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is served, with this pack."""
    with served(tmp_path_factory.mktemp("comfyui"), ROOT) as found:
        yield found


@pytest.fixture(scope="session")
def drive(url: str) -> Callable[..., dict]:
    """`driven`, on the page with this pack."""
    return partial(driven, url)


@pytest.fixture(scope="session")
def drive_with(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict]:
    """`driven`, on a page with another folder as the pack."""
    def run(pack: Path, script: str, *arguments: object) -> dict:
        with served(tmp_path_factory.mktemp("comfyui"), pack) as found:
            return driven(found, script, *arguments)
    return run
