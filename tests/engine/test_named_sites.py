"""Plans that name what each step reuses: those sites are predicted, the others of the same step computed."""

from dataclasses import replace

import pytest
import torch
from toy import Bench, Double, Single, flux_inputs, inputs, plan, small_flux, toy

from cache_core import MODULES, OUTPUT, ConfigError, Kind, Plan, Run, Steps, Timeline
from cache_core.plan import check_together

ATTENTION, MLP = Kind.ATTENTION, Kind.MLP
BLOCKS = ("double_blocks.0", "double_blocks.1", "single_blocks.0", "single_blocks.1")
EVERY = frozenset((kind, block) for kind in MODULES for block in BLOCKS)
NONE = frozenset()
MODELS = {"toy": (toy, inputs), "FLUX": (lambda: small_flux(2, 2), lambda step: flux_inputs())}
both = pytest.mark.parametrize("name", MODELS)


STEPS = 10  # of a bench


def named(marks, *sites):
    return replace(plan(marks), sites=(*sites, *[NONE] * (STEPS - len(sites))))


def outputs(name, found, steps):
    make, given = MODELS[name]
    bench = Bench(make(), found)
    return [bench(*given(step)) for step in range(steps)], bench.run


@both
def test_naming_nothing_is_bit_identical_with_the_model(name):
    make, given = MODELS[name]
    found, run = outputs(name, named("#.#.", *[NONE] * 4), 4)
    model = make()
    for step, output in enumerate(found):
        assert torch.equal(output, model(*given(step), {})), step
    assert not any(e.predicted_calls for e in run.evaluations)
    assert not run.demotions


@both
def test_naming_everything_is_bit_identical_with_a_plan_that_names_nothing(name):
    marks = "#.#."
    one, _ = outputs(name, plan(marks), 4)
    other, run = outputs(name, named(marks, NONE, EVERY, NONE, EVERY), 4)
    assert all(map(torch.equal, one, other))
    assert [bool(e.predicted_calls) for e in run.evaluations] == [False, True, False, True]


@pytest.mark.parametrize(
    "own",
    [
        {(ATTENTION, "double_blocks.1")},
        {(MLP, "double_blocks.0"), (ATTENTION, "single_blocks.1")},
        {(MLP, "single_blocks.0"), (ATTENTION, "single_blocks.0"), (MLP, "single_blocks.1")},
    ],
)
def test_only_what_a_step_names_is_predicted_there(own):
    """As by hand: the outputs of the named modules are those of the step before, the others are computed."""
    model, asked = toy((Double,) * 2, (Single,) * 2), []
    bench = Bench(model, named("#.", NONE, frozenset(own)))
    predict = bench.run.predict
    bench.run.predict = lambda kind, site: asked.append((kind, site)) or predict(kind, site)
    for step in range(2):
        bench(*inputs(step))
    assert {(kind, ".".join(site.split(".")[:2])) for kind, site in asked} == own
    counts = bench.run.evaluation
    for kind in MODULES:
        assert counts.computed_calls[kind] + counts.predicted_calls[kind] == bench.run.sites[kind]
    assert not bench.run.demotions


def test_it_is_never_kept_as_one_value_for_a_list():
    run = Run((named("#.", NONE, EVERY),), Timeline.even(STEPS))
    assert not any(rung.merged for rung in run.store.ladder)


def test_plans_that_do_not_go_with_it_are_refused():
    with pytest.raises(ConfigError, match="names what each step reuses"):
        replace(named("#.", NONE, EVERY), merge=True)
    with pytest.raises(ConfigError, match="10 steps reuses; there are 9"):
        Run((named("#.", NONE, EVERY),), Timeline.even(9))
    with pytest.raises(ConfigError, match="the other skips steps"):
        check_together((named("#.", NONE, EVERY), Plan(Steps(OUTPUT, (0,)))))


@both
def test_sites_are_tried_at_their_steps_as_a_plan_that_names_them_would_predict_them(name):
    """The run itself is computed, bit for bit, and keeps what the step before has computed."""
    make, given = MODELS[name]
    groups = (frozenset({(ATTENTION, BLOCKS[1])}), frozenset({(MLP, block) for block in BLOCKS}))
    tries = tuple(groups if step == 1 else () for step in range(STEPS))
    bench, plain = Bench(make(), Plan(Steps(MODULES, (0,)), tries=tries)), make()
    predicted = []
    for group in groups:
        other = Bench(make(), named("#.", NONE, group))
        predicted.append([other(*given(step)) for step in range(2)][1])
    found, tried = [], []
    for step in range(3):
        found.append(bench(*given(step)))
        if step == 0:
            assert not bench.run.trials
        for group in bench.run.trials:
            calling = bench.run.calling(("cond",), (1, tuple(given(step)[0].shape[1:])))
            with bench.run.trial(group), calling, bench.mounts.installed():
                tried.append(bench.model(*given(step), {}))
    assert all(torch.equal(output, plain(*given(step), {})) for step, output in enumerate(found))
    assert len(tried) == len(predicted)
    assert all(map(torch.equal, tried, predicted))
    assert not any(evaluation.predicted_calls for evaluation in bench.run.evaluations)
