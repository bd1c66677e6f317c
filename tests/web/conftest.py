"""A real ComfyUI with this pack, and a real browser.

They are there with a ComfyUI checkout (COMFYUI_DIR), its own interpreter (COMFY_PYTHON), node, Chromium and a folder
with playwright-core (PLAYWRIGHT_DIR); COMFY_FRONTEND may name another front end. The server gets this pack, and
tiny_nodes.py.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from tests.stress.server import ServerError, running, serving

ROOT = Path(__file__).resolve().parents[2]
LAB = Path.home() / "comfy-lab"
COMFYUI = Path(os.environ.get("COMFYUI_DIR") or LAB / "ComfyUI")
PYTHON = os.environ.get("COMFY_PYTHON") or sys.executable
BROWSER = ROOT / ".browser"  # scripts/browser.py
PLAYWRIGHT = Path(os.environ.get("PLAYWRIGHT_DIR") or (BROWSER if BROWSER.is_dir() else LAB / "ui"))
NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium") or shutil.which("google-chrome")
SHOTS = ROOT / "out" / "web"
NO_BROWSER = [
    what
    for what, there in {
        "node": NODE,
        "Chromium": CHROMIUM,
        f"playwright-core in {PLAYWRIGHT} (PLAYWRIGHT_DIR)": (PLAYWRIGHT / "node_modules" / "playwright-core").is_dir(),
    }.items()
    if not there
]
RENDERINGS = {"classic": "classic", "vue": "Nodes 2.0", "": "no rendering"}  # by what the name of a test has of it
FRONT_ENDS: set[str] = set()  # versions, as the pages said themselves
MISSING = NO_BROWSER + ([] if (COMFYUI / "main.py").is_file() else [f"ComfyUI at {COMFYUI} (COMFYUI_DIR)"])


@contextmanager
def served(base: Path, pack: Path) -> Iterator[str]:
    """Where the page is served, with `pack` as this pack, in the folder `base`."""
    if MISSING:
        pytest.skip("missing: " + ", ".join(MISSING))
    # a folder need not be named as in pyproject.toml
    packs = {"cloned": pack, "tiny_nodes.py": Path(__file__).with_name("tiny_nodes.py")}
    front = ("--front-end-root", os.environ["COMFY_FRONTEND"]) if os.environ.get("COMFY_FRONTEND") else ()
    with ExitStack() as running:
        try:
            address = running.enter_context(serving(COMFYUI, PYTHON, base, packs, front, templates=False))
        except ServerError as reason:
            if os.environ.get("COMFYUI_DIR"):
                pytest.fail(str(reason))  # it was asked for
            pytest.skip(str(reason))
        yield address


@contextmanager
def stood_in(log: Path) -> Iterator[str]:
    """Where the page is served without ComfyUI: see stand_in.py."""
    absent = [
        *NO_BROWSER,
        *(name for name in ("aiohttp", "comfyui_frontend_package") if importlib.util.find_spec(name) is None),
    ]
    if absent:
        pytest.skip("missing: " + ", ".join(absent) + "; python3 scripts/browser.py gets what the browser needs")
    own = Path(importlib.util.find_spec("comfyui_frontend_package").origin).parent / "static"
    front_end = Path(os.environ.get("COMFY_FRONTEND") or own)
    with running([sys.executable, Path(__file__).with_name("stand_in.py"), "{port}", front_end], ROOT, log) as address:
        yield address


def driven(url: str, script: str, *arguments: object, seconds: float = 300) -> dict:
    """What a script of this folder prints within `seconds`, run on the page. Skips the test where it prints that the
    front end does not support what it is about."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    command = [NODE, ROOT / "tests" / "web" / script, url, PLAYWRIGHT, CHROMIUM, SHOTS, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    FRONT_ENDS.update(filter(None, [found.get("front_end")]))
    if "unsupported" in found:
        pytest.skip(found["unsupported"])
    return found


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
    """Where the page is served, with this pack."""
    with served(base, ROOT) as found:
        yield found


@pytest.fixture(scope="session")
def drive(url: str) -> Callable[..., dict]:
    """`driven`, on the page with this pack."""
    return partial(driven, url)


@pytest.fixture(scope="session")
def require() -> Callable[[Collection[str]], None]:
    """Skips the test of a workflow whose `missing` classes of nodes are newer than the ComfyUI; the workflows are of
    0.33.0, which has them all."""
    version = comfyui_version()

    def check(missing: Collection[str]) -> None:
        if missing and tuple(map(int, version.split("."))) < (0, 33):
            pytest.skip(f"ComfyUI {version} does not have {', '.join(sorted(missing))}")
        assert not missing

    return check


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is served without ComfyUI, with this pack."""
    with stood_in(tmp_path_factory.mktemp("stand_in") / "log") as found:
        yield found


@pytest.fixture(scope="session")
def drive_stand_in(stand_in: str) -> Callable[..., dict]:
    """`driven`, on the page without ComfyUI."""
    return partial(driven, stand_in)


@pytest.fixture(scope="session")
def drive_with(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict]:
    """`driven`, on a page with another folder as the pack."""

    def run(pack: Path, script: str, *arguments: object) -> dict:
        with served(tmp_path_factory.mktemp("comfyui"), pack) as found:
            return driven(found, script, *arguments)

    return run


def comfyui_version() -> str:
    """The version of the ComfyUI at COMFYUI; "none" where there is none."""
    said = COMFYUI / "comfyui_version.py"
    return re.search(r'"(.+?)"', said.read_text())[1] if said.is_file() else "none"


def rendering_of(test: str) -> str:
    """The rendering that a test is about, by its name."""
    return RENDERINGS[(re.search(r"\b(classic|vue)\b", test) or [""])[0]]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says on which ComfyUI and front end the pages ran, and what came of it in each rendering; scripts/pages.py reads
    it."""
    counts, why = {name: Counter() for name in RENDERINGS.values()}, Counter()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports if outcome in ("passed", "failed", "error", "skipped") else ():
            if report.nodeid.startswith("tests/web/"):
                counts[rendering_of(report.nodeid)]["failed" if outcome == "error" else outcome] += 1
                why.update([report.longrepr[2].removeprefix("Skipped: ")] if outcome == "skipped" else ())
    if not any(counts.values()):
        return
    terminalreporter.section("pages")
    on = ", ".join(sorted(FRONT_ENDS)) or "none"
    terminalreporter.line(f"ComfyUI {comfyui_version()}, front end {on}")
    for rendering, found in counts.items():
        terminalreporter.line(
            f"{rendering}: " + ", ".join(f"{found[name]} {name}" for name in ("passed", "failed", "skipped"))
        )
    for reason, count in why.most_common():
        terminalreporter.line(f"{reason} ({count})")
