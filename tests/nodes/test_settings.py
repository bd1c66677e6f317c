"""What a preset and moved widgets become, and what bad input gets."""

from dataclasses import replace
from itertools import product

import pytest

from cache_core import Adaptive, ConfigError, Interval, Kind, Released, Steps, Timeline, TwoStage
from cache_core.settings import ABSettings, FEBSettings

FIFTY = Timeline.even(50)
UNFORESEEN = replace(FIFTY, slopes=False)  # as with a sampler that adds noise
PRESETS = ("quality", "balanced", "fast")


def test_untouched_widgets_follow_the_preset():
    fast = ABSettings.of("fast", {})
    assert (fast.preset, fast.interval) == ("fast", 6)


def test_a_moved_widget_counts_and_makes_the_preset_custom():
    settings = ABSettings.of("fast", {"interval": 7})
    assert settings.preset == "custom (from fast)"
    assert settings.interval == 7
    assert settings.warmup_steps == ABSettings.of("fast", {}).warmup_steps


def test_a_widget_at_the_preset_s_own_value_leaves_the_preset():
    assert ABSettings.of("fast", {"interval": 6}).preset == "fast"


def test_custom_takes_the_widgets_as_they_stand():
    assert ABSettings.of("custom", {"interval": 4}).interval == 4


def test_presets_compute_ever_fewer_steps():
    def computed(preset: str, timeline: Timeline) -> int:
        return len(ABSettings.of(preset, {}).plan(timeline).schedule.table(timeline).computed(Kind.MODEL))

    assert [computed(preset, FIFTY) for preset in PRESETS] == [33, 33, 33]  # before a plan is learned
    ran = [computed(preset, UNFORESEEN) for preset in PRESETS]
    assert ran == sorted(set(ran), reverse=True)
    learned = [ABSettings.of(preset, {"learn": True}).learns for preset in PRESETS]
    assert learned == [2, 3, 4]


def test_feb_presets_compute_ever_less():
    def computed(preset: str, timeline: Timeline) -> int:
        return sum(map(len, FEBSettings.of(preset, {}).plan(timeline).schedule.table(timeline).rows))

    assert [computed(preset, FIFTY) for preset in PRESETS] == [66, 66, 66]  # before a plan is learned
    ran = [computed(preset, UNFORESEEN) for preset in PRESETS]
    assert ran == sorted(set(ran), reverse=True)
    assert [FEBSettings.of(preset, {"learn": True}).learns for preset in PRESETS] == [1.5, 2, 3]


def test_of_8_steps_6_are_computed_before_a_plan_is_learned():
    eight = Timeline.even(8)
    for kind, preset in product((ABSettings, FEBSettings), PRESETS):
        table = kind.of(preset, {}).plan(eight).schedule.table(eight)
        assert sum(row == table.kinds for row in table.rows) == 6


def test_ab_paper_is_the_released_flux_schedule():
    plan = ABSettings.of("paper", {}).plan(FIFTY)
    assert plan.schedule.table(FIFTY).computed(Kind.MODEL) == tuple(i for i in range(50) if i < 5 or i % 6 == 0)
    assert plan.predictor.coefficients == "paper"


def test_feb_paper_is_the_released_table_with_the_text_s_scaling():
    plan = FEBSettings.of("paper", {}).plan(FIFTY)
    assert isinstance(plan.schedule, Released)
    assert (plan.corrector.high, plan.corrector.low) == (0.98, 0.96)


@pytest.mark.parametrize(
    ("widgets", "kind"), [({}, Interval), ({"tolerance": 0.1}, Adaptive), ({"computed_steps": "0-4,6,9"}, Steps)]
)
def test_ab_widgets_choose_the_schedule(widgets, kind):
    assert isinstance(ABSettings.of("custom", widgets).plan(FIFTY).schedule, kind)


@pytest.mark.parametrize("settings", [ABSettings, FEBSettings])
def test_where_nothing_is_foreseen_auto_adapts_the_warm_up_to_the_number_of_steps(settings):
    lengths = (replace(Timeline.even(steps), slopes=False) for steps in (12, 28, 50, 100))
    warmups = [settings.of("auto", {}).plan(timeline).schedule.frame.warmup for timeline in lengths]
    assert warmups == [4, 8, 8, 17]


def test_listed_steps_beyond_the_sampling_are_left_out():
    plan = ABSettings.of("custom", {"computed_steps": "0-4,6,9,40"}).plan(Timeline.even(20))
    assert plan.schedule.computed == (0, 1, 2, 3, 4, 6, 9)


def test_feb_with_all_intervals_equal_is_the_uniform_table():
    settings = FEBSettings.of("custom", {"attention_interval": 4, "mlp_interval": 4, "fragile_interval": 4})
    table = settings.plan(FIFTY).schedule.table(FIFTY)
    assert isinstance(settings.plan(FIFTY).schedule, TwoStage)
    assert {len(row) for row in table.rows} == {0, 2}


@pytest.mark.parametrize(
    ("settings", "widgets", "said"),
    [
        (ABSettings, {"interval": 0}, "interval is 0; allowed is 1 to 12"),
        (ABSettings, {"interval": 13}, "interval is 13"),
        (ABSettings, {"order": 5}, "order is 5; allowed is 1 to 4"),
        (ABSettings, {"damping": 1.5}, "damping is 1.5"),
        (ABSettings, {"tolerance": 0.5}, "tolerance is 0.5; allowed is 0.0 to 0.2"),
        (ABSettings, {"tolerance": float("nan")}, "tolerance is nan"),
        (ABSettings, {"coefficients": "magic"}, "'magic'; allowed is one of node-aware, paper"),
        (ABSettings, {"start_percent": -0.1}, "start_percent is -0.1"),
        (ABSettings, {"start_percent": 0.6, "end_percent": 0.5}, "the end must be greater"),
        (ABSettings, {"computed_steps": "1,2,x"}, "'x'; write steps and ranges"),
        (ABSettings, {"computed_steps": "5,6"}, "step 0 must be computed"),
        (ABSettings, {"computed_steps": ","}, "write steps and ranges"),
        (FEBSettings, {"attention_interval": 11}, "attention_interval is 11; allowed is 1 to 10"),
        (FEBSettings, {"mlp_interval": 0}, "mlp_interval is 0"),
        (FEBSettings, {"fragile_interval": 7}, "fragile_interval is 7; allowed is 1 to 6"),
        (FEBSettings, {"stage_boundary": 2.0}, "stage_boundary is 2.0"),
        (FEBSettings, {"predictor": "order 9"}, "'order 9'"),
        (FEBSettings, {"noise_scale_high": 2.0}, "noise_scale_high is 2.0; allowed is 0.9 to 1.1"),
        (FEBSettings, {"end_percent": 0.0}, "the end must be greater"),
        (FEBSettings, {"table": "mine"}, "'mine'"),
    ],
)
def test_bad_input_is_refused_with_the_value_and_what_is_allowed(settings, widgets, said):
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        settings.of("custom", widgets)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ConfigError, match="'turbo'"):
        FEBSettings.of("turbo", {})
