"""Cache Method's timeline: what is known before the model has run here, and after."""

import json
import sys

import pytest

STEPS = 20
RELEASED, LEARNED = "as released", "learned on this model"


@pytest.fixture
def parts(pack):
    """Modules of the loaded pack, by name."""
    return lambda name: sys.modules[f"{pack.__name__}.{name}"]


@pytest.fixture
def after(parts, monkeypatch):
    """The preview after a run with these settings of a method, and a profile that was recorded in it or none."""

    def after(model, profile=None, inside=True, lists=(), **widgets):
        methods, last_runs = parts("cache_core.methods"), parts("nodes.page.last_runs")
        request = parts("nodes.page.request").parsed(
            {"class": "CacheMethod", "widgets": {"method": "MagCache", **widgets}, "sampling": {"steps": STEPS}}
        )
        settings = parts("cache_core.settings.method").MethodSettings(
            "MagCache", strength=0.0, variant=methods.Variant(model, lists=lists), inside=inside
        )
        timeline = parts("cache_core.timeline").Timeline.even(STEPS)
        facts = last_runs.Facts(timeline, None, {}, None, (), None, method=settings)
        monkeypatch.setattr(parts("nodes.page.ahead").Ahead, "_profile", lambda self: profile)
        return parts("nodes.page.preview").preview(request, facts)

    return after


def states(found):
    return set(found["cells"]["attention"])


def test_before_the_model_has_run_here_no_step_is_promised_and_none_can_be_edited(ask):
    found = ask("CacheMethod", method="MagCache", curves=RELEASED)
    assert found["cells"] == {kind: ["computed"] + ["open"] * (STEPS - 1) for kind in ("attention", "mlp")}
    assert (found["rate"], found["threshold"], found["learns"], found["least"]) == (None, None, 0, True)
    assert (found["editable"], found["fixed"]) == (False, "method")
    assert any("once this node has run" in note for note in found["notes"])


def test_once_it_has_the_table_and_the_threshold_are_there(after):
    found = after("Flux", strength=0.5)
    assert states(found) == {"computed", "reused"}
    assert found["threshold"]["name"] == "magcache_thresh"
    assert found["threshold"]["strength"] == 0.5
    assert found["rate"] == pytest.approx(2, abs=0.3)
    assert not found["notes"]


def test_a_threshold_that_is_set_is_shown_as_it_is(after):
    assert after("Flux", threshold=0.012)["threshold"] == {
        "name": "magcache_thresh",
        "value": "0.012",
        "strength": None,
    }


def test_what_the_model_cannot_have_is_told_with_what_works(after):
    with pytest.raises(ValueError, match="learned on this model"):
        after("Lumina2")


def test_a_picture_to_learn_from_is_computed_and_the_speed_up_after_it_said(ask, after):
    for found in (ask("CacheMethod", method="MagCache", curves=LEARNED), after("Lumina2", curves=LEARNED)):
        assert states(found) == {"computed"}
        assert (found["learns"], found["threshold"]) == (2, None)
    assert ask("CacheMethod", method="MagCache", curves=LEARNED, threshold=0.1)["learns"] == 1


@pytest.mark.parametrize("name", ["Learning-to-Cache", "ProfilingDiT"])
def test_a_picture_on_which_parts_are_tried_is_computed_too_and_serves_only_with_them(parts, after, name):
    level = (0.0,) * STEPS
    untried = parts("cache_core.methods").Profile(level, (1.0,) * STEPS, level, level, (level,) * 5)
    for known in (None, untried):
        found = after("Flux", known, lists=(("double_blocks", 3), ("single_blocks", 6)), method=name, curves=LEARNED)
        assert states(found) == {"computed"}
        assert (found["rate"], found["computed"]["mlp"]) == (1.0, STEPS)
        assert any("more evaluations try" in note for note in found["notes"])


def test_what_was_learned_is_shown(parts, after):
    level = (0.0,) * STEPS
    still = parts("cache_core.methods").Profile(level, (1.0,) * STEPS, level, level, (level,) * 5)
    found = after("Lumina2", still, curves=LEARNED, threshold=0.1)
    assert states(found) == {"computed", "reused"}
    assert not found["learns"]


def test_from_noisy_samplers_nothing_is_learned(ask):
    found = ask("CacheMethod", method="MagCache", curves=LEARNED, sampling={"sampler": "euler_ancestral"})
    assert not found["learns"]
    assert "nothing can be learned from this sampling: running uncached" in found["notes"]


def test_where_blocks_are_not_known_the_model_s_output_is_shown(after):
    assert [*after("Flux", inside=False)["cells"]] == ["model"]


def test_off_is_off(ask):
    found = ask("CacheMethod", method="MagCache", enabled=False)
    assert (found["off"], found["name"], states(found)) == (True, "Cache Method off", {"computed"})


@pytest.mark.parametrize(
    ("widgets", "says"),
    [
        ({"method": "NoSuchCache"}, "method is 'NoSuchCache'; allowed is one of "),
        ({"method": "MagCache", "threshold": 99.0}, "magcache_thresh is 99.0"),
        ({"method": "MagCache", "strength": 0.9}, "strength is 0.9; allowed is 0.0 to 0.8"),
    ],
)
def test_what_cannot_be_run_is_told(answer, widgets, says):
    assert says in answer(json.dumps({"class": "CacheMethod", "widgets": widgets}).encode())[1]["error"]


def test_beside_feb_cache_the_same_parts_are_refused_and_beside_ab_cache_not(answer, after):
    method = {"class": "CacheMethod", "widgets": {"method": "MagCache"}}
    for other, refused in (("FEBCacheApply", True), ("ABCacheApply", False)):
        found = answer(json.dumps({**method, "beside": [{"class": other}], "sampling": {"steps": STEPS}}).encode())[1]
        assert ("cache the same parts" in found.get("error", "")) == refused


def test_every_method_has_a_preview(ask, pack):
    for name in pack.NODE_CLASS_MAPPINGS["CacheMethod"].INPUT_TYPES()["required"]["method"][0]:
        for curves in (RELEASED, LEARNED):
            assert len(next(iter(ask("CacheMethod", method=name, curves=curves)["cells"].values()))) == STEPS
