"""FasterCache's attention part: the released windows and weights, and the paper's."""

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import FASTERCACHE, Sampling, Variant
from cache_core.methods.fastercache import Window, computed, predictor, released
from cache_core.predictor import DynamicReuse, lagrange
from cache_core.site import Kind
from cache_core.timeline import Timeline

MOCHI = Variant("AsymmDiTJoint")


def weight(sampling, step):
    """w at a step: what is added of the last change."""
    sigmas = sampling.timeline.sigmas
    return predictor(sampling, 2).weights([sigmas[step - 1], sigmas[step - 3]], sigmas[step])[0] - 1


@pytest.mark.parametrize(
    ("model", "reused", "first", "last"),
    [
        ("Open-Sora", [8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28], 0.045, 0.945),
        ("Latte", list(range(16, 50, 2)), 0.5, 0.5),
        ("Open-Sora-Plan", [step for step in range(45, 150) if step % 3], 0.3, 0.3),
        ("CogVideoX", [step for step in range(18, 50) if step % 3], 0.3, 0.3),
        ("Mochi", list(range(20, 64, 2)), 0.5, 62 / 63),
    ],
)
def test_the_released_windows_reuse_at_their_steps_with_their_weights(model, reused, first, last):
    window = released("model", model)
    kept = computed(window, window.steps, window.interval)
    assert sorted({*range(window.steps)} - {*kept}) == reused
    sigmas = Timeline.even(window.steps).sigmas
    rule = DynamicReuse(sigmas, window.zero, window.rise, window.least)
    for step, expected in ((reused[0], first), (reused[-1], last)):
        newest, older = rule.weights([sigmas[step - 1], sigmas[step - 3]], sigmas[step])
        assert (newest, older) == pytest.approx((1 + expected, -expected))


def test_a_model_has_its_released_window_and_another_one_the_papers():
    mochi, other = (Sampling(Timeline.even(64), variant) for variant in (MOCHI, Variant("Flux")))
    assert weight(mochi, 20) == pytest.approx(0.5)
    assert weight(mochi, 62) == pytest.approx(62 / 63)
    assert weight(other, 20) == pytest.approx(0.0, abs=0.02)
    assert weight(other, 63) == pytest.approx(1.0, abs=0.02)
    assert weight(other, 41) == pytest.approx(0.5, abs=0.02)


def test_the_window_is_at_the_same_share_of_a_shorter_run():
    sampling = Sampling(Timeline.even(32), MOCHI)
    table = FASTERCACHE.plan(sampling, 2).schedule.table(sampling.timeline)
    assert table.kinds == {Kind.ATTENTION}
    assert [step for step, row in enumerate(table.rows) if not row] == list(range(10, 32, 2))
    assert weight(sampling, 30) == pytest.approx(60 / 63)


def test_w_0_is_reuse_and_a_half_in_an_interval_of_2_is_the_straight_line():
    sigmas = Timeline.even(10).sigmas
    nodes = [sigmas[5], sigmas[3]]
    assert DynamicReuse(sigmas).weights(nodes, sigmas[6]) == (1.0, -0.0)
    line = DynamicReuse(sigmas, least=0.5).weights(nodes, sigmas[6])
    assert line == pytest.approx(lagrange(nodes, sigmas[6]))
    assert DynamicReuse(sigmas, least=0.5).weights(nodes[:1], sigmas[6]) == (1.0,)


def test_a_longer_interval_saves_more_and_interval_1_nothing():
    counts = [len(computed(Window(), 50, interval)) for interval in range(1, 13)]
    assert counts[0] == 50
    assert counts == sorted(counts, reverse=True)


def test_where_attention_cannot_be_reached_alone_it_is_refused():
    with pytest.raises(ConfigError, match="Spectrum works here"):
        FASTERCACHE.plan(Sampling(Timeline.even(20), Variant("CogVideoXTransformer3DModel", apart=False)), 2)
