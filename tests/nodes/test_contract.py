"""Ids and inputs are a contract: saved workflows depend on them. Optional inputs may be added at the end, with
defaults."""

import json
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "contract.json"
APPLY = ("FEBCacheApply", "ABCacheApply")


def visible(kind: type) -> dict:
    """The inputs that a person sees; hidden ones are ComfyUI's own."""
    return {group: members for group, members in kind.INPUT_TYPES().items() if group != "hidden"}


def schema(kind: type) -> dict:
    """What a saved workflow depends on: groups, names, order, types, and the range or options of each input."""
    inputs = {
        group: {
            name: [spec[0], {key: spec[1][key] for key in ("default", "min", "max") if key in spec[1]}]
            for name, spec in members.items()
        }
        for group, members in visible(kind).items()
    }
    return {"inputs": inputs, "outputs": list(kind.RETURN_TYPES)}


def methods(schemas: dict) -> list:
    """The choices of Cache Method among the schemas of all nodes."""
    return schemas["CacheMethod"]["inputs"]["required"]["method"][0]


def test_ids_inputs_and_outputs_are_those_of_the_first_release(pack):
    golden = json.loads(GOLDEN.read_text())
    now = json.loads(json.dumps({name: schema(kind) for name, kind in pack.NODE_CLASS_MAPPINGS.items()}))
    methods(now)[:] = [name for name in methods(now) if name in methods(golden)]  # others may be added anywhere
    assert now == golden


def test_every_node_has_a_display_name_and_a_category(pack):
    assert pack.NODE_DISPLAY_NAME_MAPPINGS.keys() == pack.NODE_CLASS_MAPPINGS.keys()
    assert {kind.CATEGORY for kind in pack.NODE_CLASS_MAPPINGS.values()} == {"model/patch"}


def test_every_input_has_a_tooltip_and_every_output_too(pack):
    for kind in pack.NODE_CLASS_MAPPINGS.values():
        for members in visible(kind).values():
            assert all(len(spec[1]["tooltip"]) > 20 for spec in members.values())
        assert len(kind.OUTPUT_TOOLTIPS) == len(kind.RETURN_TYPES)


def test_the_function_takes_the_inputs_it_declares(pack):
    for kind in pack.NODE_CLASS_MAPPINGS.values():
        assert callable(getattr(kind(), kind.FUNCTION))


@pytest.mark.parametrize("node", APPLY)
def test_defaults_of_the_widgets_are_those_of_the_settings(pack, node):
    module = __import__(
        f"{pack.__name__}.cache_core.settings.{'feb' if node.startswith('FEB') else 'ab'}", fromlist=["DEFAULTS"]
    )
    widgets = {
        name: spec[1]["default"]
        for group in visible(pack.NODE_CLASS_MAPPINGS[node]).values()
        for name, spec in group.items()
        if name not in ("model", "model_2", "preset", "plan") and spec[1].get("of_preset", True)
    }
    assert widgets == module.DEFAULTS


@pytest.mark.parametrize("node", APPLY)
def test_presets_only_set_widgets_within_their_range(pack, node):
    inputs = {name: spec for group in visible(pack.NODE_CLASS_MAPPINGS[node]).values() for name, spec in group.items()}
    for values in inputs["preset"][1]["presets"].values():
        for name, value in values.items():
            kind, options = inputs[name]
            assert value in kind if isinstance(kind, list) else options["min"] <= value <= options["max"]


def test_cache_report_before_a_run_says_what_to_connect(pack):
    node = pack.NODE_CLASS_MAPPINGS["CacheReport"]()
    mailbox = __import__(f"{pack.__name__}.nodes.comfy.mailbox", fromlist=["Mailbox"]).Mailbox()
    latent = {"samples": object()}
    done = node.read(latent, mailbox)
    assert done["result"][0] is latent
    assert done["ui"]["text"] == (done["result"][1],)
    assert "the node that this REPORT comes from" in done["result"][1]
    assert done["result"][2].shape == (1, 16 + 2 * 20, 900, 3)  # a picture of those words


def test_cache_report_of_a_bypassed_apply_node_says_that_nothing_was_cached(pack):
    assert "nothing was cached" in pack.NODE_CLASS_MAPPINGS["CacheReport"]().read({"samples": object()})["result"][1]


def test_the_pack_s_own_functions_are_taken_for_no_rival(pack):
    # Was wrong once (rivals.OWN): the file had moved a folder down, and functions of cache_core counted as another's.
    rivals = __import__(f"{pack.__name__}.nodes.comfy.rivals", fromlist=["rivals"])
    assert f"{pack.__name__}." == rivals.OWN
