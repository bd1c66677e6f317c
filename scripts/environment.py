"""Find or make an interpreter that can run this project, and go on in it."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements-dev.txt"


def can_import(python: str, modules: Sequence[str]) -> bool:
    """Whether the interpreter `python` has all `modules`."""
    code = "import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in sys.argv[1:]))"
    return subprocess.run([python, "-c", code, *modules], capture_output=True).returncode == 0


def interpreter_of(folder: Path) -> str:
    """The interpreter of a virtual environment, on any system."""
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def make_venv() -> str:
    """The interpreter of `.venv`, made or brought up to date if needed: it holds all that requirements-dev.txt pins."""
    python, stamp = interpreter_of(VENV), VENV / "requirements.stamp"
    wanted = REQUIREMENTS.read_text()
    if not (stamp.is_file() and stamp.read_text() == wanted):
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q"]
        small, words = cpu_build(pip, wanted)
        print(f"Making {VENV.name} from {REQUIREMENTS.name}, once. {words}", flush=True)
        subprocess.run([*pip, "-r", str(REQUIREMENTS), *small], check=True)
        stamp.write_text(wanted)
    return python


def cpu_build(pip: Sequence[str], requirements: str) -> tuple[list[str], str]:
    """The requirement that takes torch's CPU build where `pip install` finds one, and what will be downloaded, in
    words. Only on Linux is the ordinary build another one, with CUDA."""
    if platform.system() != "Linux":
        return [], "torch is a download of about 200 MB."
    small = f"{torch_pin(requirements)}+cpu"
    if not subprocess.run([*pip, "--dry-run", "--no-deps", small], capture_output=True).returncode:
        return [small], "torch is its CPU build, a download of about 200 MB."
    return [], (
        "torch is the ordinary Linux build: with its CUDA libraries a download of some gigabytes. The CPU build, about "
        "200 MB, is enough: stop now, set PIP_EXTRA_INDEX_URL to the index that PyTorch's install page gives for CPU, "
        "and start again."
    )


def torch_pin(requirements: str) -> str:
    """The line that pins torch in a requirements file. Raises ValueError where there is none."""
    found = re.search(r"^torch==[\w.]+$", requirements, re.MULTILINE)
    if not found:
        raise ValueError("no line of the requirements pins torch")
    return found[0]


def ensure(modules: Sequence[str]) -> str:
    """An interpreter with `modules`: this one if it has them, else that of `.venv`."""
    return sys.executable if can_import(sys.executable, modules) else make_venv()


def comfyui_interpreter(folder: Path) -> str:
    """The interpreter that a ComfyUI checkout runs on: COMFY_PYTHON, one beside the checkout, or this one.

    Exits with what was tried if none of them has torch and what ComfyUI needs.
    """
    beside = (
        folder / "venv",
        folder / ".venv",
        folder.parent / "venv",
        folder.parent / ".venv",
        folder.resolve().parent / "venv",
    )
    embedded = str(folder.parent / "python_embeded" / "python.exe")
    tried = [os.environ.get("COMFY_PYTHON", ""), *(interpreter_of(v) for v in beside), embedded, sys.executable]
    for python in tried:
        if (
            python
            and Path(python).exists()
            and can_import(python, ("torch", "transformers", "torchsde", "einops", "safetensors", "PIL", "tqdm"))
        ):
            return python
    sys.exit(
        f"No interpreter that can run the ComfyUI at {folder}; tried {', '.join(filter(None, tried))}. Set "
        "COMFY_PYTHON to the one it uses."
    )
