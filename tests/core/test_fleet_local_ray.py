"""The driver of a cluster on a true Ray of this machine, without ComfyUI: real processes, of which some are killed.

Only the ComfyUI inside a process is a stand-in (`STAND_IN`). With a real one: tests/host/test_fleet_ray.py.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="the package ray is not installed")
ROOT = Path(__file__).resolve().parents[2]
MARK = "FLEET_TEST"  # in the environment of all processes that the test starts, on whatever detour
SECONDS = 300  # until a driver that hangs is ended
TASKS = ("a", "b", "once", "c", "always", "d")

# stands in the way of scripts/fleet/comfy_process.py, and leads to the real files beside it
PACKAGE = "__path__.append({folder!r})\n"
STAND_IN = """
import os, signal
from pathlib import Path
from scripts.fleet.report import KNOWN, LEARNED, Result

class ComfyProcess:
    def __init__(self, folder, plans, arguments):
        self.folder, self.plans = folder, plans

    def learn(self, task, dry=False, known=None):
        (self.folder / f"pid_{os.getpid()}").touch()
        killed = self.folder / task.name
        if killed.exists():
            if task.name == "once":
                killed.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        key = f"{task.name}key"
        if key in known:
            return [Result(task.name, KNOWN, key)]
        (self.plans / f"plan_{key}.safetensors").write_bytes(task.name.encode())
        return [Result(task.name, LEARNED, key)]
"""
DRIVER = """
import json, sys
from pathlib import Path
sys.path.append(sys.argv[1])
from scripts.fleet import on_ray
from scripts.fleet.tasks import Task

folder = Path(sys.argv[2])
on_ray._readable = lambda plans, name: (plans / name).is_file()  # the stand-in's plans are no safetensors
tasks = [Task(name, {}, "1", f"model of {name}", 10, 3.0) for name in sys.argv[3:]]
said, cluster = [], on_ray.Cluster.joined("local", 2, 0.0)
try:
    for wanted in (tasks, [task for task in tasks if task.name != "always"]):
        done = cluster.learned(wanted, folder, folder / "plans", [])
        said.append({task.name: (r.result, r.tries, r.file) for task, (r,) in done})
finally:
    cluster.close()
(folder / "said.json").write_text(json.dumps(said))  # Ray prints of its own
"""


def written(folder):
    """A folder with the stand-in, the driver, and files that say which tasks kill their process."""
    package = folder / "scripts" / "fleet"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PACKAGE.format(folder=str(ROOT / "scripts" / "fleet")))
    (package / "comfy_process.py").write_text(STAND_IN)
    (folder / "driver.py").write_text(DRIVER)
    for name in ("once", "always"):
        (folder / name).touch()
    return folder


def processes(mark):
    """Ids of the processes that have the mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def left(mark, seconds=20.0):
    """Ids of the processes that are still there after so many seconds."""
    until = time.monotonic() + seconds
    while (found := processes(mark)) and time.monotonic() < until:
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """The folder, what came of two runs of the driver, and the processes that are left."""
    folder = written(tmp_path_factory.mktemp("fleet"))
    short = tempfile.mkdtemp(prefix="ray")  # for Ray's sockets, whose paths may have 107 bytes
    own = {MARK: str(folder), "RAY_TMPDIR": short, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    asked = [sys.executable, "-B", str(folder / "driver.py"), str(ROOT), str(folder), *TASKS]
    try:
        done = subprocess.run(
            asked, cwd=folder, env={**os.environ, **own}, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield folder, json.loads((folder / "said.json").read_text()), left(folder)
    finally:
        for process in processes(folder):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        shutil.rmtree(short, ignore_errors=True)


def test_a_process_that_is_killed_costs_one_more_try_and_nothing_is_lost(driven):
    folder, (first, _), _ = driven
    learned = {name: tuple(row) for name, row in first.items() if name != "always"}
    assert learned == {
        name: ("learned", 1 + (name == "once"), f"plan_{name}key.safetensors") for name in TASKS if name != "always"
    }
    assert {path.name: path.read_bytes() for path in (folder / "plans").iterdir()} == {
        file: name.encode() for name, (_, _, file) in learned.items()
    }


def test_a_task_that_always_kills_its_process_is_reported_after_three_tries(driven):
    folder, (first, _), _ = driven
    assert first["always"][:2] == ["error", 3]
    assert len(list(folder.glob("pid_*"))) == 2 + 4  # two processes, and one for each that died


def test_a_second_run_learns_nothing_anew(driven):
    _, (first, second), _ = driven
    assert second == {name: ["known", 1, file] for name, (_, _, file) in first.items() if name != "always"}


def test_no_process_is_left_behind(driven):
    assert driven[2] == []
