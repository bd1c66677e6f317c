"""PromptTea: the threshold of a prompt, the regression, and its table (METHODS_RELATED.md section 7)."""

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import PROMPTTEA, Sampling, Variant
from cache_core.methods.prompttea import STEPS, counted, place, prompt_threshold, regression
from cache_core.methods.published import published
from cache_core.site import Kind
from cache_core.timeline import Timeline
from tests.methods.profiles import profile

WAN, HUNYUAN = Variant("WanModel", 5120, 16), Variant("HunyuanVideo", 3072)
SIMPLE, HARD = 0.61, 0.52


def shifted(steps, shift):
    even = [1 - i / steps for i in range(steps + 1)]
    return Timeline.flow(tuple(shift * s / (1 + (shift - 1) * s) for s in even))


def test_a_prompt_as_near_to_either_kind_has_the_threshold_in_the_middle():
    assert prompt_threshold(0.5, 0.5, 0.09, 0.23, 50) == pytest.approx(0.16, abs=1e-5)


def test_a_hard_prompt_is_cached_less_and_other_references_give_the_other_threshold():
    there, back = (prompt_threshold(*pair, 0.09, 0.23, 50) for pair in ((SIMPLE, HARD), (HARD, SIMPLE)))
    assert back < 0.16 < there
    assert back == pytest.approx(prompt_threshold(SIMPLE, HARD, 0.23, 0.09, 50), abs=1e-4)
    assert prompt_threshold(0.0, 1.0, 0.09, 0.23, 50) == pytest.approx(0.09, abs=1e-6)


def test_the_step_of_a_sigma_is_that_of_the_fifty_with_its_shift():
    for shift in (1.0, 5.0, 7.0):
        line = shifted(STEPS, shift)
        assert [place(sigma, shift) for sigma in line.sigmas] == pytest.approx(list(range(STEPS + 1)), abs=1e-9)


def test_the_regression_starts_from_its_intercept_and_has_its_features_in_order():
    assert regression(0.0, 0.0, "hunyuanvideo") == pytest.approx(-0.015260717427228038)
    fit = published()["prompttea_regression"]["hunyuanvideo"]
    names = fit["features"].split(",")
    assert names == ["1", "x", "n", "x2", "n2", "xn", "x3", "n3", "x2n", "xn2", "x4", "n4"]
    x, n = 0.05, 7.0
    value = {"1": 1, "x": x, "n": n, "x2": x * x, "n2": n * n, "xn": x * n, "x3": x**3, "n3": n**3}
    value |= {"x2n": x * x * n, "xn2": x * n * n, "x4": x**4, "n4": n**4}
    by_hand = fit["intercept"] + sum(c * value[name] for c, name in zip(fit["coef"], names, strict=True))
    assert regression(x, n, "hunyuanvideo") == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(("variant", "curve", "shift"), [(WAN, "wan2.1", 5.0), (HUNYUAN, "hunyuanvideo", 7.0)])
def test_with_the_released_sigmas_each_step_counts_as_released(variant, curve, shift):
    changes = (0.0, *(0.03 + 0.001 * n for n in range(1, STEPS)))
    found = counted(Sampling(shifted(STEPS, shift), variant, time_changes=changes))
    released = [0.0, *(regression(x, n, curve) for n, x in enumerate(changes) if n)]
    assert found == pytest.approx(released, rel=1e-9)


def test_with_half_the_steps_each_counts_as_two():
    changes = (0.0,) + (0.06,) * 24
    found = counted(Sampling(shifted(25, 5.0), WAN, time_changes=changes))
    assert found[3] == pytest.approx(2 * regression(0.03, 6.0, "wan2.1"), rel=1e-9)


def table(variant, threshold, changes):
    line = shifted(STEPS, 5.0)
    plan = PROMPTTEA.plan(Sampling(line, variant, time_changes=changes), threshold)
    return plan.schedule.table(line).computed(Kind.MLP)


def test_the_table_is_the_sum_of_what_the_steps_count_up_to_the_threshold():
    changes = (0.0,) + (0.04,) * (STEPS - 1)
    counts = counted(Sampling(shifted(STEPS, 5.0), WAN, time_changes=changes))
    expected, total = [0], 0.0
    for step in range(1, STEPS):
        total += counts[step]
        if total >= 0.16:
            expected.append(step)
            total = 0.0
    assert table(WAN, 0.16, changes) == tuple(expected)
    assert 1 < len(expected) < STEPS


def test_the_last_step_is_forced_on_hunyuan_video_and_not_on_wan():
    changes = (0.0,) + (0.001,) * (STEPS - 1)
    assert STEPS - 1 not in table(WAN, 10.0, changes)
    assert STEPS - 1 in table(HUNYUAN, 10.0, changes)


def test_without_changes_all_is_computed_and_learned_it_sums_the_recorded_ones():
    assert table(WAN, 0.16, ()) == tuple(range(STEPS))
    line = Timeline.even(20)
    plan = PROMPTTEA.plan(Sampling(line, WAN, profile=profile(line)), 0.35)
    assert plan.schedule.table(line).computed(Kind.MLP) == (0, 4, 8, 12, 16)


def test_a_model_without_a_regression_is_refused_and_told_to_learn():
    for variant in (Variant("Flux"), Variant("WanModel", 3072), Variant("HunyuanVideo", 2048)):
        with pytest.raises(ConfigError, match="learned on this model"):
            PROMPTTEA.plan(Sampling(Timeline.even(20), variant), 0.1)
