"""The response of a sampler, read off a sampling of unit outputs, and what it is good for."""

from dataclasses import replace

import pytest
import torch

from cache_core import OUTPUT, Timeline
from cache_core.calibrate import Ledger, Recorder, Tracker, probed
from cache_core.calibrate.learn import recorded
from cache_core.calibrate.probing import MOST_PROBED
from cache_core.planning import prior_steps
from cache_core.response import Response
from lab.bench import LabBench
from lab.families import FLUX
from lab.sample import flow_sigmas, load
from lab.solvers import SOLVERS

STEPS = 16
SIGMAS = flow_sigmas(STEPS)
TIMELINE = Timeline.flow(SIGMAS)


def response_of(solver, timeline=TIMELINE, **how):
    return probed(lambda output, x: SOLVERS[solver](output, x, timeline.sigmas), timeline, **how)


@pytest.fixture(scope="module")
def model():
    return load(FLUX)[0]


def test_of_euler_it_is_eulers():
    found, known = response_of("euler"), Response.of_euler(SIGMAS)
    torch.testing.assert_close(torch.tensor(found.outputs), torch.tensor(known.outputs))
    assert found.start == pytest.approx(known.start)


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_state_depends_on_an_output_that_comes_later(solver):
    rows = torch.tensor(response_of(solver).outputs)
    assert rows.shape == (STEPS + 1, STEPS)
    assert not rows.triu().any()
    assert (rows[-1] != 0).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_its_rows_explain_a_real_sampling(model, solver):
    bench = LabBench(FLUX, STEPS, model=model, solver=solver)
    recorder = Recorder(replace(bench.timeline, response=response_of(solver)))
    final, recording = bench.sample(0, watch=recorder).flatten(), recorder.recording()
    assert recording.unexplained < 1e-4
    response = recording.response
    end = response.start[-1] * recording.states[0] + torch.tensor(response.final) @ recording.outputs
    assert float((end - final).norm() / final.norm()) < 1e-4


@pytest.mark.parametrize("solver", ["res_multistep", "uni_pc"])
def test_a_sampling_of_floats_reads_the_same_but_for_rounding(solver):
    wide, narrow = (response_of(solver, dtype=dtype) for dtype in (torch.float64, torch.float32))
    torch.testing.assert_close(torch.tensor(narrow.outputs), torch.tensor(wide.outputs), atol=1e-4, rtol=1e-4)


def midpoint(output, x):
    """Asks between two steps, too."""
    for sigma, after in zip(SIGMAS, SIGMAS[1:], strict=False):
        middle = 0.5 * (sigma + after)
        x = x + (after - sigma) * output(x + (middle - sigma) * output(x, sigma), middle)
    return x


def skipping(output, x):
    """Leaves every other step out."""
    for sigma, after in zip(SIGMAS[:-2:2], SIGMAS[2::2], strict=True):
        x = x + (after - sigma) * output(x, sigma)
    return x


def diverging(output, x):
    """Ends with what is not a number."""
    for sigma in SIGMAS[:-1]:
        x = x + output(x, sigma)
    return x * float("inf")


@pytest.mark.parametrize("solve", [midpoint, skipping, diverging])
def test_a_sampler_that_does_not_keep_to_the_steps_has_none(solve):
    assert probed(solve, TIMELINE) is None


def test_a_failure_of_the_sampler_goes_through():
    def failing(output, x):
        raise TypeError

    with pytest.raises(TypeError):
        probed(failing, TIMELINE)


def test_more_steps_than_are_worth_it_are_not_probed():
    asked = []

    def counted(output, x):
        asked.append(x)
        return SOLVERS["euler"](output, x, timeline.sigmas)

    for steps in (MOST_PROBED, MOST_PROBED + 1):
        timeline = Timeline.even(steps)
        assert (probed(counted, timeline) is None) == (steps > MOST_PROBED)
    assert len(asked) == 1


def test_of_several_evaluations_at_a_step_the_last_counts():
    """A sampler that asks twice at each step and goes on with the second output."""

    def twice(output, x):
        for sigma, after in zip(SIGMAS, SIGMAS[1:], strict=False):
            output(x + 1, sigma)
            x = x + (after - sigma) * output(x, sigma)
        return x

    assert probed(twice, TIMELINE) == response_of("euler")


@pytest.mark.parametrize("solver", ["res_multistep", "dpmpp_2m", "uni_pc"])
def test_a_sampling_that_is_steered_by_its_own_response_ends_nearer_than_by_eulers(model, solver):
    bench = LabBench(FLUX, STEPS, model=model, solver=solver)
    known = recorded(Ledger(bench, 1), 0)
    steps, found = prior_steps(bench.timeline, 7), []
    for response in (known.recording.response, Response.of_euler(SIGMAS)):
        tracker = Tracker(replace(known.recording, response=response), steps)
        end = bench.sample(0, (tracker.plan(OUTPUT),), tracker).flatten()
        found.append(float((end - known.final).norm() / known.final.norm()))
    assert found[0] < 0.7 * found[1]
