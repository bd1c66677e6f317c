"""The steps that the page's scripts find, on shapes of graphs: those of official templates, reduced to what decides
about the steps, and some by hand. steps.mjs runs the scripts on a stand-in of the page's graph.

`shapes.json`: a shape a line, with its `graphs` by name, the outermost one without; of each the nodes as `[id, type,
mode, inputs, outputs, widgets]` and the links as `[origin, slot, target, slot]`, a subgraph's borders being -10 and
-20; and the `steps` of each node that samples a model, or has it sampled: a number, or the node that only a run can
tell them by.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SHAPES = json.loads((HERE / "shapes.json").read_text(encoding="utf-8"))
SCRIPTS = HERE.parents[1] / "web" / "js"
NODE = shutil.which("node")


@pytest.fixture(scope="module", params=["number", "string"])
def found(request, tmp_path_factory) -> list[dict]:
    """Of each shape the steps by node, with ids as older front ends have them and as newer ones."""
    if NODE is None:
        pytest.skip("missing: node")
    scripts = shutil.copytree(SCRIPTS, tmp_path_factory.mktemp("scripts") / "js")
    (scripts / "package.json").write_text('{"type": "module"}')
    command = [NODE, HERE / "steps.mjs", scripts, HERE / "shapes.json", request.param]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("at", range(len(SHAPES)), ids=[shape["name"] for shape in SHAPES])
def test_the_steps_of_a_shape_are_those_of_its_prompt(found, at):
    assert found[at] == SHAPES[at]["steps"]


def test_there_are_shapes_of_forty_templates():
    assert sum(shape.get("template", False) for shape in SHAPES) >= 40
