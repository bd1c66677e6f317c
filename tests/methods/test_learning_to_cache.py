"""Learning-to-Cache: routers, and the choice from recorded displacements."""

import json
from itertools import chain, combinations

import numpy as np
import pytest

from cache_core.errors import ConfigError
from cache_core.methods.learning_to_cache import chosen, routed
from cache_core.site import Kind

STEPS, BLOCKS = 50, 28
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
    "wrong", [{}, {"a": [1, 2]}, {"0.prob": [1, 2], "1.prob": [1, 2, 3, 4]}, {"0.prob": ["x", 1]}, {"0.prob": [1]}]
)
def test_other_files_are_refused(wrong):
    with pytest.raises(ConfigError):
        routed(wrong)


def best(gram, price):
    """The least cost of any set, by trying all."""
    sites = range(len(gram))
    every = chain.from_iterable(combinations(sites, size) for size in range(len(gram) + 1))
    return min(sum(gram[i, j] for i in own for j in own) - price * len(own) for own in every)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("price", [0.5, 2.0, 8.0])
def test_the_choice_is_near_the_best_of_all_sets(seed, price):
    displaced = np.random.default_rng(seed).normal(size=(8, 6))
    gram = displaced @ displaced.T
    picked = chosen(gram, price)
    cost = gram[np.ix_(picked, picked)].sum() - price * len(picked)
    assert best(gram, price) - 1e-9 <= cost <= 0.9 * best(gram, price) + 1e-9


def test_sites_whose_displacements_cancel_are_reused_together():
    gram = np.array([[1.0, -0.9, 0.0], [-0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert chosen(gram, 1.01) == (0, 1, 2)
    assert chosen(gram, 0.5) == (0, 1)  # alone neither would pay
    assert chosen(gram, 0.05) == ()
    assert chosen(np.eye(3), 0.0) == ()


def test_a_negative_price_is_refused():
    with pytest.raises(ConfigError, match="price"):
        chosen(np.eye(2), -1.0)
