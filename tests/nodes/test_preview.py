"""The timeline's preview is what a run does."""

import json

import pytest

from cache_core import Kind, Run, Timeline
from cache_core.settings import ABSettings, FEBSettings
from cache_core.show import timeline as view


def shifted(steps, shift=3.0):
    sigmas = tuple(shift * t / (1 + (shift - 1) * t) for t in (1 - i / steps for i in range(steps + 1)))
    return Timeline.flow(sigmas)


@pytest.mark.parametrize("attention", [1, 2, 5])
def test_the_cells_are_those_of_the_table_that_a_run_makes(ask, attention):
    found = ask("FEBCacheApply", preset="custom", attention_interval=attention, warmup_steps=3)
    table = Run(
        (FEBSettings.of("custom", {"attention_interval": attention, "warmup_steps": 3}).plan(shifted(20)),), shifted(20)
    ).table
    for kind in (Kind.ATTENTION, Kind.MLP):
        assert tuple(
            step for step, cell in enumerate(found["cells"][kind.value]) if cell == "computed"
        ) == table.computed(kind)
    assert found["boundary"] == next(step for step, time in enumerate(shifted(20).times) if time <= 0.4)


def test_a_prediction_from_one_sample_is_called_reused_and_one_from_more_predicted(ask):
    assert set(ask("FEBCacheApply", preset="custom")["cells"]["mlp"]) == {"computed", "reused"}
    assert set(ask("FEBCacheApply", preset="balanced", learn=False)["cells"]["mlp"]) == {"computed", "predicted"}
    assert set(ask("ABCacheApply", preset="balanced", learn=False)["cells"]["model"]) == {"computed", "predicted"}
    noisy = ask("ABCacheApply", preset="balanced", learn=False, sampling={"sampler": "euler_ancestral"})
    assert set(noisy["cells"]["model"]) == {"computed", "reused"}


def test_with_a_tolerance_steps_are_open_and_no_speed_up_is_promised(ask):
    found = ask("ABCacheApply", preset="custom", tolerance=0.1, warmup_steps=4)
    assert found["cells"]["model"] == ["computed"] * 4 + ["open"] * 15 + ["computed"]
    assert found["rate"] is None


def test_few_steps_are_all_computed_and_cannot_be_edited(ask):
    found = ask("ABCacheApply", steps=6, preset="fast", learn=False)
    assert found["cells"]["model"] == ["computed"] * 6
    assert not found["editable"]
    assert found["rate"] == 1
    assert "uncached" in " ".join(found["notes"])


def test_a_run_that_will_be_learned_from_computes_every_step_and_says_so(ask):
    found = ask("ABCacheApply", preset="balanced", learn=True)
    assert set(found["cells"]["model"]) == {"computed"}
    assert found["learns"] == 20 / 7
    assert found["computed"] == {"model": 20}


def test_steps_a_ksampler_leaves_out_at_its_ends_are_no_cells(ask):
    assert ask("FEBCacheApply", steps=30, sampling={"start": 5, "end": 20})["steps"] == 15


@pytest.mark.parametrize(
    ("sampling", "steps"),
    [
        ({"steps": 4, "sigmas": [1, 0.9, 0.75, 0.5, 0.0]}, 4),
        ({"steps": 4, "sigmas": [14.6, 6.0, 2.5, 1.0, 0.03]}, 4),  # no flow's
        ({"steps": 4, "start": 1, "end": 3, "sigmas": [1, 0.9, 0.75, 0.5, 0.0]}, 2),
        ({"steps": 20, "flipped": True}, 20),
    ],
)
def test_written_and_flipped_sigmas_have_their_steps(ask, sampling, steps):
    assert ask("ABCacheApply", sampling=sampling)["steps"] == steps


def test_written_sigmas_say_where_a_stage_ends(ask):
    late = [1 - i / 200 for i in range(20)] + [0.0]  # nearly all steps are above the boundary
    found = ask("FEBCacheApply", preset="custom", sampling={"steps": 20, "sigmas": late})
    even = ask("FEBCacheApply", preset="custom", sampling={"steps": 20})
    assert even["boundary"] < 20
    assert found["boundary"] is None or found["boundary"] > even["boundary"]


def test_sigmas_that_rise_are_all_computed(ask):
    found = ask("ABCacheApply", preset="balanced", learn=False, sampling={"flipped": True})
    assert set(found["cells"]["model"]) == {"computed"}
    assert "the sigmas rise" in " ".join(found["notes"])


def test_a_sampling_without_steps_is_shown_as_no_sampling(answer):
    asked = [
        {"class": "ABCacheApply", "sampling": sampling} for sampling in ({}, {"by": "KSampler", "unknown": "Math"})
    ]
    assert answer(json.dumps(asked[0]).encode()) == answer(json.dumps(asked[1]).encode())


def test_an_edit_of_feb_changes_the_one_cell_whatever_else_the_preset_would_do(ask):
    before = ask("FEBCacheApply", preset="auto", learn=False)
    step = before["cells"]["mlp"].index("predicted")
    edited = ask("FEBCacheApply", preset="auto", learn=False, edit={"kind": "mlp", "steps": [step], "compute": True})
    assert edited["widgets"]["preset"] == "custom"
    expected = before["cells"]["mlp"].copy()
    expected[step] = "computed"
    assert (edited["cells"]["attention"], edited["cells"]["mlp"]) == (before["cells"]["attention"], expected)
    again = ask("FEBCacheApply", **edited["widgets"])
    assert again["cells"] == edited["cells"]


def test_an_edit_before_a_plan_is_learned_is_possible_too(ask):
    for node, kind in (("FEBCacheApply", "mlp"), ("ABCacheApply", "model")):
        found = ask(node, preset="auto", learn=True)
        assert set(found["cells"][kind]) == {"computed"}
        edited = ask(node, preset="auto", learn=True, edit={"kind": kind, "steps": [9], "compute": False})
        assert edited["cells"][kind].count("computed") == 19


def test_an_edit_taken_back_leaves_no_text(ask):
    edited = ask("FEBCacheApply", preset="custom", edit={"kind": "attention", "steps": [6, 7], "compute": False})
    assert edited["widgets"]["edited_steps"] == "reuse attention 6-7"
    back = ask("FEBCacheApply", **edited["widgets"] | {"edited_steps": ""})
    computed = [step for step in (6, 7) if back["cells"]["attention"][step] == "computed"]
    restored = ask("FEBCacheApply", edit={"kind": "attention", "steps": computed, "compute": True}, **edited["widgets"])
    assert restored["widgets"]["edited_steps"] == ""


def test_an_edit_of_ab_writes_the_computed_steps(ask):
    before = ask("ABCacheApply", preset="balanced", learn=False)["cells"]["model"]
    edited = ask("ABCacheApply", preset="balanced", learn=False, edit={"kind": "model", "steps": [9], "compute": True})
    wanted = [step for step, cell in enumerate(before) if cell == "computed" or step == 9]
    settings = ABSettings.of("custom", {"computed_steps": edited["widgets"]["computed_steps"]})
    assert settings.plan(Timeline.even(20)).schedule.computed == tuple(wanted)


def beside(cls, **widgets):
    return [{"class": cls, "widgets": widgets}]


@pytest.fixture
def both(answer):
    """The answer for a node of class `cls`, with another one on the way of the model."""

    def both(cls, widgets, others, edit=None):
        asked = {"class": cls, "widgets": widgets, "beside": others, "sampling": {"steps": 20}, "edit": edit}
        status, found = answer(json.dumps(asked).encode())
        assert status == 200
        return found

    return both


FEB = {"preset": "custom", "attention_interval": 3, "mlp_interval": 2, "fragile_interval": 1, "warmup_steps": 3}
AB = {"preset": "custom", "interval": 2, "warmup_steps": 4, "learn": False}


def test_beside_ab_cache_feb_cache_rests_where_the_model_is_predicted_as_in_the_run(both):
    kinds, timeline = ((FEBSettings, FEB), (ABSettings, AB)), shifted(20)
    given = [(kind, {name: widgets[name] for name in widgets if name != "preset"}) for kind, widgets in kinds]
    run = Run(tuple(kind.of("custom", values).plan(timeline) for kind, values in given), timeline)
    feb = both("FEBCacheApply", FEB, beside("ABCacheApply", **AB))
    ab = both("ABCacheApply", AB, beside("FEBCacheApply", **FEB))
    assert {**feb["cells"], **ab["cells"]} == view.planned(run)
    assert (list(feb["cells"]), list(ab["cells"])) == (["attention", "mlp"], ["model"])
    assert feb["cells"]["mlp"].count("resting") == ab["cells"]["model"].count("predicted") > 0
    assert feb["rate"] == ab["rate"]


def test_beside_ab_cache_steps_of_feb_cache_cannot_be_edited_and_it_is_said_why(both):
    edit = {"kind": "mlp", "steps": [9], "compute": True}
    found = both("FEBCacheApply", FEB, beside("ABCacheApply", **AB), edit)
    assert (found["editable"], found["widgets"]) == (False, {})
    assert found["fixed"] == "beside"
    ab = both("ABCacheApply", AB, beside("FEBCacheApply", **FEB), {"kind": "model", "steps": [5], "compute": True})
    assert ab["editable"]
    assert ab["cells"]["model"][5] == "computed"


def test_beside_a_run_that_is_learned_from_nothing_is_cached(both):
    found = both("FEBCacheApply", FEB, beside("ABCacheApply", preset="auto", learn=True))
    assert found["cells"] == {kind: ["computed"] * 20 for kind in ("attention", "mlp")}
    assert found["learns"] == 20 / 7


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (beside("FEBCacheApply"), "cache the same parts"),
        (beside("ABCacheApply", preset="custom", tolerance=0.1), "Set tolerance to 0"),
    ],
)
def test_two_nodes_that_cannot_share_a_model_say_so_before_the_run(both, other, word):
    assert word in both("FEBCacheApply", FEB, other)["error"]


def test_a_plan_and_too_few_steps_say_why_they_cannot_be_edited(ask, both):
    assert ask("ABCacheApply", steps=6, learn=False)["fixed"] == "few"
    assert ask("ABCacheApply", learn=False)["fixed"] == ""


def test_a_plan_that_comes_with_the_pack_is_shown(answer):
    asked = {
        "class": "FEBCacheApply",
        "plan": {"name": "bundled/flux_feb_released.safetensors"},
        "sampling": {"steps": 20},
    }
    found = answer(json.dumps(asked).encode())[1]
    assert found["cells"]["mlp"].count("reused") > 5
    assert (found["editable"], found["fixed"]) == (False, "plan")


@pytest.mark.parametrize("cls", ["FEBCacheApply", "ABCacheApply"])
def test_a_thousand_steps_are_shown_by_every_preset(ask, pack, cls):
    # Was wrong once (presets.auto_warmup): above 600 steps `auto` warmed up for longer than is allowed, an error.
    presets = pack.NODE_CLASS_MAPPINGS[cls].INPUT_TYPES()["required"]["preset"][0]
    for preset in presets:
        found = ask(cls, steps=1000, preset=preset, **({"learn": False} if cls == "ABCacheApply" else {}))
        assert all(len(cells) == 1000 for cells in found["cells"].values())


@pytest.mark.parametrize(("cls", "kinds"), [("FEBCacheApply", ["attention", "mlp"]), ("ABCacheApply", ["model"])])
def test_a_node_that_is_off_computes_every_step_and_says_so(ask, cls, kinds):
    found = ask(cls, preset="off", start_percent=0.7, end_percent=0.3)  # widgets that could not be run
    assert found["cells"] == {kind: ["computed"] * 20 for kind in kinds}
    assert found["off"]
    assert set(found["computed"].values()) == {20}
    assert not found["editable"]


def test_a_node_that_is_off_does_not_count_beside_another(answer):
    def cells(*beside):
        widgets = {"preset": "custom", "interval": 3, "learn": False}
        asked = {"class": "ABCacheApply", "widgets": widgets, "sampling": {"steps": 20}, "beside": list(beside)}
        return answer(json.dumps(asked).encode())[1]["cells"]

    assert cells({"class": "ABCacheApply", "widgets": {"preset": "off"}}) == cells()
