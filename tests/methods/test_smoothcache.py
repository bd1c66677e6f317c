"""SmoothCache: the released schedules, the greedy rule, and files of the package dit-smoothcache."""

import json
from math import inf

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import SMOOTHCACHE, Profile, Sampling, Variant, at_strength
from cache_core.methods.profile import AHEAD
from cache_core.methods.published import published
from cache_core.methods.smoothcache import greedy
from cache_core.schedule import format_layer_lists, parse_layer_lists
from cache_core.settings.method import LEARNED, MethodSettings
from cache_core.site import MODULES, Kind
from cache_core.timeline import Timeline

RELEASED = published()["smoothcache_schedules_1_computes"]
BOTH = {"attn": [1, 0, 1, 0, 0, 1, 0, 1], "mlp": [1, 0, 1, 0, 0, 1, 0, 1]}
APART = {"attn": [1, 0, 1, 0, 0, 1, 0, 1], "mlp": [1, 1, 0, 0, 1, 1, 0, 1]}


def file_of(name):
    return {layer: [int(mark) for mark in marks] for layer, marks in RELEASED[name].items()}


def marks(steps, count):
    return "".join("1" if step in steps else "0" for step in range(count))


def profile(steps=20, error=0.1):
    """Lookahead errors that grow by `error` with each step ahead."""
    curve = (1.0,) * steps
    ahead = tuple(tuple(error * m if i + m < steps else inf for i in range(steps)) for m in range(1, AHEAD + 1))
    return Profile(Timeline.even(steps).sigmas[:-1], curve, curve, curve, ahead)


def table(sampling, alpha=0.18):
    return SMOOTHCACHE.plan(sampling, alpha).schedule.table(sampling.timeline)


def text(lists):
    return json.dumps(lists)


@pytest.mark.parametrize(
    ("name", "starts", "ends", "computed"),
    [
        ("50-N-3-threshold-0.18.json", "10001001001", "11", 24),
        ("50-N-3-threshold-0.08.json", "10010101111", "11", 46),
        ("30-N-3-threshold-0.35.json", "100101", "0111", 16),
        ("70-N-3-threshold-0.08.json", "10001001001010", "11", 34),
    ],
)
def test_a_released_schedule_is_what_was_published_and_what_the_rule_gives_for_such_errors(
    name, starts, ends, computed
):
    """Errors under which each computed step of the schedule is good for just the steps that it is reused for."""
    released = RELEASED[name]["attn"]
    assert released.startswith(starts)
    assert released.endswith(ends)
    steps = [step for step, mark in enumerate(released) if mark == "1"]
    gaps = {step: after - step - 1 for step, after in zip(steps, [*steps[1:], len(released)], strict=True)}
    ahead = [[0.1 if m <= gaps.get(i, 0) else 0.3 for i in range(len(released))] for m in (1, 2, 3)]
    assert marks(greedy(ahead, 0.2), len(released)) == released
    table = parse_layer_lists(text(file_of(name)))
    assert [len(table.computed(kind)) for kind in (Kind.ATTENTION, Kind.MLP)] == [computed, computed]
    assert marks(table.computed(Kind.MLP), len(released)) == RELEASED[name]["mlp"]


def test_the_file_for_diffusers_names_its_module_and_is_for_attention_alone():
    table = parse_layer_lists(text(file_of("diffuser_schedule.json")))
    assert table.kinds == {Kind.ATTENTION}
    assert len(table.computed(Kind.ATTENTION)) == 24


def test_a_file_written_is_the_file_read():
    for name in RELEASED:
        read = file_of(name)
        if set(read) == {"attn", "mlp"}:
            assert json.loads(format_layer_lists(parse_layer_lists(text(read)))) == read
    assert json.loads(format_layer_lists(parse_layer_lists(text(APART)))) == APART


@pytest.mark.parametrize("inside", [True, False])
def test_what_was_planned_can_be_written(inside):
    sampling = Sampling(Timeline.even(20), inside=inside, profile=profile())
    lists = json.loads(format_layer_lists(table(sampling, 0.2)))
    assert lists == {name: [1, 0, 0] * 6 + [1, 1] for name in ("attn", "mlp")}


def test_alpha_0_computes_all_and_errors_at_alpha_are_allowed():
    errors = [[0.1] * 9, [0.3] * 9, [0.2] * 9]
    assert greedy(errors, 0.0) == tuple(range(9))
    assert greedy(errors, 0.1) == (0, 2, 4, 6, 8)
    assert greedy(errors, 0.2) == (0, 4, 8)  # the longest allowed lookahead counts, though a shorter one is not


def test_the_learned_schedule_reuses_as_far_as_the_errors_allow():
    sampling = Sampling(Timeline.even(20), profile=profile())
    assert len(table(sampling, 0.05).computed(Kind.MLP)) == 20
    assert table(sampling, 0.1).computed(Kind.MLP) == (*range(0, 20, 2), 19)
    assert table(sampling, 4.0).computed(Kind.MLP) == (*range(0, 20, 4), 19)  # three at most
    assert at_strength(SMOOTHCACHE, sampling, 0.5) < 0.11


def test_an_imported_schedule_tells_attention_from_mlp_where_the_model_does():
    found = table(Sampling(Timeline.even(8), given=text(APART)))
    assert found.kinds == MODULES
    assert found.computed(Kind.ATTENTION) == (0, 2, 5, 7)
    assert found.computed(Kind.MLP) == (0, 1, 4, 5, 7)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(Timeline.even(8), given=text(APART), inside=False),
        Sampling(Timeline.even(8), Variant("CogVideoXTransformer3DModel", apart=False), given=text(APART)),
    ],
)
def test_where_they_cannot_be_told_apart_a_step_that_computes_one_computes_all(sampling):
    found = table(sampling)
    assert {found.computed(kind) for kind in found.kinds} == {(0, 1, 2, 4, 5, 7)}
    with pytest.raises(ConfigError, match="Name attn and mlp"):
        table(Sampling(sampling.timeline, sampling.variant, sampling.inside, given=text({"attn": APART["attn"]})))


def test_lists_of_blocks_and_modules_are_one_kind_of_which_no_step_is_left_out():
    lists = {"attn1": [1, 0, 0, 1], "attn2-0": [1, 0, 1, 0], "mlp-11": [1, 0, 0, 0], "ff": [1, 1, 0, 0]}
    found = parse_layer_lists(text(lists))
    assert found.computed(Kind.ATTENTION) == (0, 2, 3)
    assert found.computed(Kind.MLP) == (0, 1)


def test_a_schedule_for_other_steps_is_spread_over_these_and_says_so():
    sampling = Sampling(Timeline.even(16), given=text(BOTH))
    assert len(table(sampling).computed(Kind.MLP)) == 8
    assert SMOOTHCACHE.plan(sampling, 0.18).notes == (
        "the schedule is for 8 steps: it was spread over the 16 of this one",
    )
    assert not SMOOTHCACHE.plan(Sampling(Timeline.even(8), given=text(BOTH)), 0.18).notes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nothing", "JSON such as"),
        ("[1, 0]", "JSON such as"),
        ("{}", "JSON such as"),
        ('{"attn": [1, 2]}', "JSON such as"),
        ('{"attn": [1, 0.0]}', "JSON such as"),
        ('{"attn": "10"}', "JSON such as"),
        ("[" * 9**5, "JSON such as"),
        ('{"attn": []}', "one value for each step"),
        ('{"attn": [1, 0], "mlp": [1]}', "one value for each step"),
        ('{"temporal": [1, 0]}', "known are attn, attn1"),
        ('{"attn-a": [1, 0]}', "known are attn, attn1"),
        ('{"attn": [0, 1]}', "reuses attn at step 0"),
    ],
)
def test_a_file_that_is_none_is_refused_at_the_node(given, message):
    with pytest.raises(ConfigError, match=message):
        MethodSettings("SmoothCache", schedule=given)


def test_a_given_schedule_counts_in_place_of_strength_and_nothing_is_recorded():
    settings = MethodSettings("SmoothCache", strength=0.0, curves=LEARNED, schedule=text(BOTH))
    plan = settings.plan(Timeline.even(8))
    assert not settings.records
    assert plan.schedule.table(Timeline.even(8)).computed(Kind.MLP) == (0, 2, 5, 7)
    assert "imported" in plan.name


def test_another_method_takes_no_schedule():
    with pytest.raises(ConfigError, match="those that do: SmoothCache"):
        MethodSettings("FORA", schedule=text(BOTH))


def test_as_released_it_is_refused_with_what_works():
    with pytest.raises(ConfigError, match="learned on this model"):
        MethodSettings("SmoothCache")
