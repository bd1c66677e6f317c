"""FORA, cache-dit's masks and Spectrum's windows: the published lists of steps."""

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import METHODS, Sampling
from cache_core.methods.cache_dit import MASKS, computed
from cache_core.methods.fora import every
from cache_core.methods.published import published
from cache_core.methods.spectrum import growing
from cache_core.schedule import at_share, format_steps
from cache_core.settings.method import LEARNED, MethodSettings
from cache_core.timeline import Timeline


@pytest.mark.parametrize("steps", [30, 50, 70])
def test_every_second_step_of_fora_is_the_published_file(steps):
    released = published()["smoothcache_schedules_1_computes"][f"{steps}-N-2-fora.json"]
    marks = "".join("1" if step in every(steps, 2) else "0" for step in range(steps))
    assert released == {"attn": marks, "mlp": marks}


@pytest.mark.parametrize(
    ("name", "steps", "count"),
    [
        ("slow", "0-7,9-11,14-16,19-20,23,27", 18),
        ("medium", "0-5,7-8,12-13,17-18,22-23,27", 15),
        ("fast", "0-5,7,11,16,22,27", 11),
        ("ultra", "0-3,6,12,19,27", 8),
    ],
)
def test_a_mask_of_cache_dit_has_its_runs(name, steps, count):
    assert format_steps(computed(name)) == steps
    assert len(computed(name)) == count


def test_a_mask_is_spread_over_other_steps():
    assert at_share(computed("fast"), 28, 28) == computed("fast")
    for name in MASKS:
        for steps in (14, 20, 50):
            spread = at_share(computed(name), 28, steps)
            assert spread[0] == 0
            assert len(spread) == round(len(computed(name)) * steps / 28)
            warm = sum(step < 7 for step in computed(name)) * steps / 28
            assert sum(step < steps / 4 for step in spread) == pytest.approx(warm, abs=1.5)


@pytest.mark.parametrize(
    ("growth", "steps", "count"),
    [(0.75, "0-4,6,8,11,15,20,25,31,38,46", 14), (3.0, "0-4,6,11,19,30,44", 10)],
)
def test_the_windows_of_spectrum_end_where_they_were_published(growth, steps, count):
    assert format_steps(growing(50, growth)) == steps
    assert len(growing(50, growth)) == count


def test_windows_that_do_not_grow_compute_every_second_step():
    assert growing(12, 0.0) == (0, 1, 2, 3, 4, 6, 8, 10)
    assert growing(4, 0.75) == (0, 1, 2, 3)


@pytest.mark.parametrize("inside", [True, False])
def test_the_fit_of_spectrum_leaves_a_constant_output_as_it_is_and_shrinks_blocks_as_released(inside):
    sampling = Sampling(Timeline.even(50), inside=inside)
    plan = METHODS["Spectrum"].plan(sampling, 0.75)
    nodes = [sampling.timeline.sigmas[step] for step in (8, 6, 4, 3, 2, 1, 0)]
    total = sum(plan.predictor.weights(nodes, sampling.timeline.sigmas[9]))
    assert (abs(total - 1) > 1e-4) == inside


@pytest.mark.parametrize("name", ["FORA", "Cache-DiT masks", "Spectrum", "FasterCache attention"])
def test_a_method_without_curves_records_nothing_and_says_that_it_goes_as_released(name):
    settings = MethodSettings(name, curves=LEARNED)
    assert not settings.records
    assert settings.name == f"{name}, as released"


@pytest.mark.parametrize(("name", "beyond"), [("FORA", 21), ("Cache-DiT masks", 5), ("Spectrum", 21)])
def test_a_threshold_beyond_its_range_is_refused(name, beyond):
    with pytest.raises(ConfigError, match=METHODS[name].threshold.name):
        METHODS[name].plan(Sampling(Timeline.even(20)), beyond)


def test_a_part_of_a_step_is_no_interval_and_a_threshold_is_checked_before_anything_is_recorded():
    with pytest.raises(ConfigError, match="interval is 2.5; it counts steps"):
        MethodSettings("FORA", threshold=2.5)
    for threshold in (2.5, 9.0):
        with pytest.raises(ConfigError, match="interval is"):
            MethodSettings("Q&C", curves=LEARNED, threshold=threshold)
