"""The commands of the page on ten of the official templates: templates.mjs drives the page, the tests say what has to
come of it."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from tests.stress.server import asked

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "templates.py"
TEMPLATES = (  # subgraphs and none, two experts, two passes, guiders, written sigmas, steps behind switches
    "video_minimax_h3_i2v",
    "video_minimax_h3_r2v",
    "video_ltx2_3_i2v",
    "video_wan2_2_14B_i2v",
    "video_wan2_2_5B_ti2v",
    "image_z_image_turbo",
    "image_krea2_turbo_t2i",
    "image_flux2",
    "flux_fill_inpaint_example",
    "audio_minimax_music_3",
)


@pytest.fixture(scope="module")
def script():
    """scripts/templates.py."""
    spec = importlib.util.spec_from_file_location("templates", SCRIPT)
    sys.modules["templates"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["classic", "vue"])
def facts(request, drive, script) -> dict:
    folder = script.installed()
    if folder is None:
        pytest.skip("missing: comfyui-workflow-templates-json")
    files = [path for name in TEMPLATES if (path := folder / f"{name}.json").is_file()]
    if len(files) < len(TEMPLATES):
        pytest.skip(f"missing in the installed templates: {set(TEMPLATES) - {path.stem for path in files}}")
    return drive("templates.mjs", request.param, "back", *files, seconds=900)


@pytest.fixture(scope="module")
def judged(facts, script, url) -> dict[str, dict]:
    """What scripts/templates.py says of each template."""
    info = asked(f"{url}/object_info")
    return {name: script.row(name, seen, info, url) for name, seen in facts["templates"].items()}


@pytest.fixture(params=TEMPLATES)
def name(request, facts, require) -> str:
    """A template all of whose nodes this ComfyUI has."""
    require(facts["templates"][request.param]["missing"])
    return request.param


def test_our_scripts_say_nothing_in_the_console_and_ask_no_other_host(facts):
    assert facts["noise"] == facts["abroad"] == []


def test_one_node_is_before_each_sampler_and_comfyui_accepts_it(judged, name):
    found = judged[name]
    assert not found.get("missing"), found
    assert found["placed"] == found["long"] > 0
    assert (found["too_many"], found["complaints"]) == (0, [])


def test_the_strips_have_the_steps_of_the_queued_prompt(judged, name):
    assert (judged[name]["right"], judged[name]["wrong"]) == (judged[name]["models"], [])


def test_one_undo_takes_all_of_it_back(facts, name):
    seen = facts["templates"][name]
    assert seen["after"] != seen["before"]
    assert seen["undone"] == {"prompt": seen["before"], "shape": seen["shape"]}


def test_a_second_time_puts_nothing_more(facts, name):
    assert facts["templates"][name]["twice"] == facts["templates"][name]["again"]


def test_the_nodes_are_taken_out_again_without_a_trace(facts, name):
    seen = facts["templates"][name]
    assert seen["out"] == {"prompt": seen["before"], "shape": seen["shape"]}


def test_the_nodes_lie_on_no_other(facts, name):
    for node in facts["templates"][name]["nodes"]:
        boxes = {box["id"]: box["box"] for box in node["boxes"]}
        x, y, width, height = boxes.pop(node["inner"])
        over = [
            other
            for other, (left, top, wide, high) in boxes.items()
            if x < left + wide and left < x + width and y - 30 < top + high and top - 30 < y + height
        ]
        assert over == []


def test_scripts_read_a_workflow_as_the_page_queues_it(facts, script, url, name):
    from scripts.fleet.convert import Definition, converted

    info = asked(f"{url}/object_info")

    def define(kind):
        found = info.get(kind)
        groups = found["input"] if found else {}
        inputs = {key: spec for part in ("required", "optional") for key, spec in (groups.get(part) or {}).items()}
        return Definition(inputs, tuple(map(str, found["output"]))) if found else None

    made = converted(json.loads((script.installed() / f"{name}.json").read_text(encoding="utf-8")), define)
    queued = facts["templates"][name]["before"]
    assert {key: (node["class_type"], node["inputs"]) for key, node in queued.items()} == {
        key: (node["class_type"], node["inputs"]) for key, node in made.items()
    }
