"""Learning-to-Cache: routers, and the choice from recorded displacements."""

import json

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import LEARNING_TO_CACHE, Sampling, Variant
from cache_core.methods.router import routed
from cache_core.settings.method import MethodSettings
from cache_core.site import Kind
from cache_core.timeline import Timeline

STEPS, BLOCKS = 50, 28
LINE, DIT = Timeline.even(STEPS), Variant("DiT", lists=(("blocks", 20), ("more", 8)))
FULL = {(kind, block) for kind in (Kind.ATTENTION, Kind.MLP) for block in range(BLOCKS)}


def router(path, kept=736):
    """A file like DDIM-50's: of the 25 x 56 logits of its cache steps `kept` are high, those of the cleanest steps."""
    cached = iter([4.0] * kept + [-4.0] * (25 * 56 - kept))
    rows = {f"{i}.prob": [next(cached) for _ in range(56)] if i % 2 == 0 else [0.0] * 56 for i in range(STEPS)}
    path.write_text(json.dumps(rows))
    return json.loads(path.read_text())


def test_the_published_counts(tmp_path):
    """DDIM-50's router reuses 664 of 1,400 sites."""
    sets = routed(router(tmp_path / "router.json"))
    assert len(sets) == STEPS
    assert sum(map(len, sets)) == 664
    assert [step for step, own in enumerate(sets) if own] == list(range(1, 25, 2))
    assert sets[1] == FULL  # the noisiest, and the cleanest reuses nothing
    assert not sets[49]


def test_only_every_second_step_reuses_whatever_the_threshold(tmp_path):
    given = router(tmp_path / "router.json")
    assert not any(routed(given, 0.0))
    everything = routed(given, 1.0)  # FORA with interval 2
    assert [set(own) == FULL for own in everything] == [step % 2 == 1 for step in range(STEPS)]
    assert not any(everything[::2])


def test_attention_and_mlp_of_a_block_follow_each_other():
    sets = routed({"0.prob": [-9, 9, 9, -9], "1.prob": [-9, -9, -9, -9]})
    assert sets == (frozenset(), {(Kind.ATTENTION, 0), (Kind.MLP, 1)})


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"0.prob": [1, 2]},
        {"0.prob": [float("nan"), 2], "1.prob": [1, 2]},
        {"a": [1, 2]},
        {"0.prob": [1, 2], "1.prob": [1, 2, 3, 4]},
        {"0.prob": ["x", 1]},
        {"0.prob": [1]},
    ],
)
def test_other_files_are_refused(wrong):
    with pytest.raises(ConfigError):
        routed(wrong)


def plan(given, variant=DIT, steps=STEPS, theta=0.1, **more):
    return LEARNING_TO_CACHE.plan(Sampling(Timeline.even(steps), variant, given=given, **more), theta)


def test_the_plan_of_the_published_router(tmp_path):
    """664 of 1,400 sites, of blocks counted over all lists; the steps that reuse nothing compute everything."""
    router(tmp_path / "router.json")
    found = plan((tmp_path / "router.json").read_text())
    assert sum(map(len, found.sites)) == 664
    assert (Kind.MLP, "more.7") in found.sites[1]
    full = found.schedule.table(LINE).full_steps()
    assert full == tuple(step for step in range(STEPS) if not found.sites[step])
    assert not found.merge


def test_it_is_for_its_steps_and_blocks_only(tmp_path):
    router(tmp_path / "router.json")
    given = (tmp_path / "router.json").read_text()
    with pytest.raises(ConfigError, match=r"for 50 steps, and this sampling has 20\. Set 50\."):
        plan(given, steps=20)
    with pytest.raises(ConfigError, match="for 28 blocks, and this model has 57"):
        plan(given, Variant("Flux", lists=(("double_blocks", 19), ("single_blocks", 38))))


def test_settings_take_a_router_of_any_steps_and_a_theta():
    given = json.dumps({f"{i}.prob": [0.0, -3.0] for i in range(8)})
    settings = MethodSettings(
        "Learning-to-Cache", schedule=given, threshold=0.01, variant=Variant("A", lists=(("b", 1),))
    )
    assert not any(settings.plan(Timeline.even(8)).sites)
    with pytest.raises(ConfigError, match="Set 8"):
        settings.plan(Timeline.even(20))


@pytest.mark.parametrize(
    ("variant", "says"), [(DIT, "or give one of this model as schedule"), (Variant("A", apart=False), "Take FORA")]
)
def test_without_a_router_or_a_use_for_one_it_says_what_works(variant, says):
    with pytest.raises(ConfigError, match=says):
        MethodSettings("Learning-to-Cache", variant=variant)
