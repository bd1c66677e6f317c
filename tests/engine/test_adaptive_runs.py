"""The embedded pair at work: when a run that decides for itself computes."""

import math

import pytest
import torch

from cache_core import OUTPUT, Adaptive, Extrapolation, Frame, Kind, Plan, Run, Timeline
from cache_core.run.engine import evaluate
from lab.sample import flow_sigmas

STEPS = 24
WARMUP = 3


def decisions(tolerance, most, order=2, **curves):
    """What a run decides for outputs that follow `curves`, one for each conditioning, functions of sigma; None =
    absent there.

    # computed, . predicted, one mark an evaluation; the conditionings come in calls of their own.
    """
    run = Run(
        (Plan(Adaptive(OUTPUT, tolerance, most, Frame(WARMUP, 1)), Extrapolation(order=order)),),
        Timeline.flow(flow_sigmas(STEPS)),
    )
    marks = ""
    for sigma in flow_sigmas(STEPS)[:-1]:
        evaluation = run.begin(sigma)
        present = {name: curve(sigma) for name, curve in curves.items() if curve(sigma) is not None}
        for name, value in present.items():
            evaluate(run, [name], "shape", lambda value=value: torch.tensor([[value]]))
        done = evaluation.computed_calls[Kind.MODEL], evaluation.predicted_calls[Kind.MODEL]
        marks += {(len(present), 0): "#", (0, len(present)): "."}.get(done, "?")
    return marks


def wild(sigma):
    return math.sin(40 * sigma)


def steady(sigma):
    return 1.0


def gentle(sigma):
    return 100.0 + sigma


def test_the_smallest_tolerance_computes_every_step_of_a_curve():
    assert decisions(1e-6, 8, a=wild) == "#" * STEPS


def test_outputs_that_are_no_numbers_are_computed():
    assert decisions(1.0, 8, a=lambda sigma: float("nan")) == "#" * STEPS


@pytest.mark.parametrize("most", [1, 3, 7])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_largest_tolerance_predicts_as_many_in_a_row_as_it_may(order, most):
    marks = decisions(1.0, most, order, a=gentle)
    assert marks[:WARMUP] + marks[-1] == "####"
    assert marks[WARMUP:-1] == (("." * most + "#") * STEPS)[: STEPS - WARMUP - 1]


def test_disagreements_are_summed_since_the_last_computed_step():
    # On a line the pair disagrees at the m-th prediction by m times a step's rise: 1, 2, 3, 4, ... units; their sums
    # are 1, 3, 6, ...
    unit = 1 / STEPS / 100
    assert decisions(4.5 * unit, 20, a=gentle)[WARMUP:-1] == "..#..#..#..#..#..#.."
    assert decisions(0.5 * unit, 20, a=gentle) == "#" * STEPS


def test_the_disagreement_is_relative_to_all_conditionings_at_once():
    unit = 1 / STEPS / 100
    assert decisions(3.5 * unit, 20, a=gentle, b=gentle) == decisions(3.5 * unit, 20, a=gentle)


def test_all_conditionings_of_an_evaluation_share_one_decision():
    alone, together = decisions(0.5, 4, a=steady), decisions(0.5, 4, a=steady, b=wild)
    assert "...." in alone
    assert "." in together
    assert "?" not in together
    assert together.count("#") > alone.count("#")


def test_a_conditioning_that_has_left_no_longer_decides():
    # Was wrong once (run.py, _pair_distance): it looks at every history there is. One that is over, with one sample,
    # forbids predicting for good; with more, it disagrees ever more, the further it is behind (a prompt for the first
    # part of the sampling only).
    assert decisions(0.5, 4, a=steady, early=lambda s: 1.0 if s == 1 else None) == decisions(0.5, 4, a=steady)
