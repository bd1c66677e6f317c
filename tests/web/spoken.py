"""The words of the page's scripts, without a page: for test_words.py and test_words_of_methods.py."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[1] / "web" / "js"
NODE = shutil.which("node")


def spoken(folder: Path, **given: object) -> dict:
    """What words.mjs makes of its input: `cases`, `sentences`, `reports`. `folder`: empty, for copies of the
    scripts."""
    if NODE is None:
        pytest.skip("missing: node")
    scripts = shutil.copytree(SCRIPTS, folder / "js")
    (scripts / "package.json").write_text('{"type": "module"}')
    command = [NODE, HERE / "words.mjs", scripts]
    run = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)
