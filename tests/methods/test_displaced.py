"""Parts of a model that are tried while a picture is recorded, and the choice among them."""

import json
from dataclasses import asdict, replace
from itertools import chain, combinations

import numpy as np
import pytest

from cache_core.errors import ConfigError
from cache_core.methods import (
    LEARNING_TO_CACHE,
    PROFILINGDIT,
    Displaced,
    Profile,
    Sampling,
    Variant,
    at_strength,
    saved_share,
    trying,
)
from cache_core.methods.displaced import MOST_GROUPS, MOST_STEPS, groups_of, tried_steps
from cache_core.methods.selection import by_block, chosen, groups_chosen, least
from cache_core.settings.method import LEARNED, MethodSettings
from cache_core.site import MODULES, Kind, Range
from cache_core.timeline import Timeline
from tests.methods.test_dbcache import profile

FLUX = (("double_blocks", 19), ("single_blocks", 38))
SMALL = (("double_blocks", 3), ("single_blocks", 6))
STEPS = 20
LINE = Timeline.even(STEPS)
EMPTY = {"steps": [], "grams": []}


def displaced(lists=SMALL, seed=0, size=0.05):
    """Displacements of so many groups at the tried steps, of `size` relative to the output on average."""
    chance, groups = np.random.default_rng(seed), groups_of(lists)
    found = [chance.normal(size=(400, len(groups))) * size / 20 for _ in tried_steps(STEPS)]
    grams = tuple(tuple(map(tuple, (each.T @ each).tolist())) for each in found)
    named = tuple(tuple(sorted((kind.value, block) for kind, block in group)) for group in groups)
    return Displaced(named, tried_steps(STEPS), grams)


def sampling(found=None, lists=SMALL):
    known = replace(profile(0.1), displaced=found or displaced(lists))
    return Sampling(LINE, Variant("Flux", lists=lists), profile=known)


def best(gram, price):
    """The least cost of any set, by trying all."""
    parts = range(len(gram))
    every = chain.from_iterable(combinations(parts, size) for size in range(len(gram) + 1))
    return min(sum(gram[i, j] for i in own for j in own) - price * len(own) for own in every)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("price", [0.5, 2.0, 8.0])
def test_the_choice_is_near_the_best_of_all_sets(seed, price):
    moved = np.random.default_rng(seed).normal(size=(8, 6))
    gram = moved @ moved.T
    picked = chosen(gram, np.full(8, price))
    cost = gram[np.ix_(picked, picked)].sum() - price * len(picked)
    assert best(gram, price) - 1e-9 <= cost <= 0.9 * best(gram, price) + 1e-9


def test_parts_whose_displacements_cancel_are_reused_together():
    gram = np.array([[1.0, -0.9, 0.0], [-0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert chosen(gram, np.full(3, 1.01)) == (0, 1, 2)
    assert chosen(gram, np.full(3, 0.5)) == (0, 1)  # alone neither would pay
    assert chosen(gram, np.full(3, 0.05)) == ()
    assert chosen(np.eye(3), np.zeros(3)) == ()


@pytest.mark.parametrize("theta", [0.01, 0.05, 0.1, 0.3])
def test_what_is_chosen_displaces_the_output_by_theta_at_most(theta):
    found = displaced()
    for gram, own in zip(found.grams, groups_chosen(found, theta), strict=True):
        assert np.array(gram)[np.ix_(own, own)].sum() <= theta**2 + 1e-12


@pytest.mark.parametrize("lists", [FLUX, SMALL, (("blocks", 40),), (("blocks", 1),)])
def test_a_bounded_number_of_groups_holds_every_site_once(lists):
    groups = groups_of(lists)
    blocks = {f"{path}.{place}" for path, count in lists for place in range(count)}
    assert len(groups) <= 2 * (MOST_GROUPS + len(lists))
    assert sorted(chain(*groups)) == sorted((kind, block) for kind in MODULES for block in blocks)


@pytest.mark.parametrize("steps", [8, 9, 20, 50])
def test_a_bounded_number_of_second_steps_is_tried_and_the_step_before_kept(steps):
    tried = tried_steps(steps)
    assert len({*tried}) == min(MOST_STEPS, steps // 2)
    assert all(step % 2 for step in tried)
    plan = trying(SMALL, steps, "recording")
    assert [step for step, own in enumerate(plan.tries) if own] == [*tried]
    kept = plan.schedule.table(Timeline.even(steps)).full_steps()
    assert kept == tuple(sorted({0, *(step - 1 for step in tried)}))
    assert f"{len(tried) * len(groups_of(SMALL))} more evaluations" in plan.notes[0]


def test_learning_to_cache_reuses_more_the_higher_theta_is_and_at_every_second_step_only():
    given = sampling()
    shares = [saved_share(LEARNING_TO_CACHE.plan(given, theta), given) for theta in (0.001, 0.05, 0.2, 0.9)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 0.5)
    plan = LEARNING_TO_CACHE.plan(given, 0.05)
    assert not any(plan.sites[::2])
    assert saved_share(LEARNING_TO_CACHE.plan(given, at_strength(LEARNING_TO_CACHE, given, 0.3)), given) == (
        pytest.approx(0.3, abs=0.1)
    )


def test_profilingdit_reuses_the_blocks_that_displace_least():
    found = displaced()
    ranges = PROFILINGDIT.plan(sampling(found), 6).ranges
    assert sum(part.stop - part.start for part in ranges) == 6
    worst = max(by_block(found), key=by_block(found).get)
    assert not any(part.path == worst[0] and part.start <= worst[1] < part.stop for part in ranges)
    assert least({("a", 0): 3.0, ("a", 1): 0.1, ("b", 0): 0.3}, 0.67) == {"a": [1], "b": [0]}


def test_the_user_s_own_lists_are_not_learned_beside():
    variant = Variant("Flux", lists=SMALL)
    own = MethodSettings("ProfilingDiT", curves=LEARNED, variant=variant, schedule='{"double_blocks": [1]}')
    assert not own.records
    assert own.plan(LINE).ranges == (Range("double_blocks", 1, 2),)


@pytest.mark.parametrize("name", ["Learning-to-Cache", "ProfilingDiT"])
def test_a_picture_is_recorded_with_trials_and_serves_only_where_there_were_any(name):
    settings = MethodSettings(name, curves=LEARNED, variant=Variant("Flux", lists=SMALL))
    assert settings.records
    assert any(settings.plan(LINE).tries)
    assert not settings.served(profile(0.1))
    learned = replace(settings, profile=sampling().profile)
    assert learned.served(learned.profile)
    assert saved_share(learned.plan(LINE), sampling()) > 0


@pytest.mark.parametrize("method", [LEARNING_TO_CACHE, PROFILINGDIT], ids=lambda method: method.name)
def test_a_picture_without_trials_and_blocks_that_cannot_be_tried_are_refused(method):
    with pytest.raises(ConfigError, match="no part of the model was tried"):
        method.plan(Sampling(LINE, Variant("Flux", lists=SMALL), profile=profile(0.1)), method.threshold.default)
    with pytest.raises(ConfigError, match="apart"):
        MethodSettings(method.name, curves=LEARNED, variant=Variant("CogVideoX", apart=False, lists=SMALL))


def test_a_profile_keeps_its_displacements_in_a_file_and_older_files_are_read():
    known = replace(profile(0.1), displaced=displaced())
    text = json.dumps(asdict(known))
    assert Profile.from_json(json.loads(text)) == known
    older = json.loads(text)
    del older["displaced"]
    assert Profile.from_json(older).displaced is None


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"groups": 1},
        {"steps": []},
        {"groups": [[["attention"]]]},
        {"steps": [], "grams": []},
        {"grams": [[[float("nan")]]]},
    ],
)
def test_other_displacements_are_refused(wrong):
    found = json.loads(json.dumps(asdict(replace(profile(0.1), displaced=displaced()))))
    found["displaced"] = {**found["displaced"], **wrong} if isinstance(wrong, dict) else wrong
    with pytest.raises(ConfigError):
        Profile.from_json(found)


def test_a_block_without_a_place_is_refused():
    found = json.loads(json.dumps(asdict(replace(profile(0.1), displaced=displaced()))))
    found["displaced"]["groups"][0][0][1] = "double_blocks"
    with pytest.raises(ConfigError, match="groups of blocks"):
        Profile.from_json(found)


def test_groups_name_kinds_and_blocks():
    assert displaced().sites(0) == {(Kind.ATTENTION, "double_blocks.0"), (Kind.ATTENTION, "double_blocks.1")}
