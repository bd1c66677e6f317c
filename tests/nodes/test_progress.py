"""What a node's timeline is told while a run goes on, and what is known after it."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from cache_core import MODULES, OUTPUT, Extrapolation, Frame, Interval, Kind, Plan, Run, Timeline, report
from cache_core.saved_plan.saved_plan import Origin
from cache_core.show import timeline as view

STEPS = 12


@pytest.fixture
def progress(pack, monkeypatch):
    module = sys.modules[f"{pack.__name__}.nodes.page.last_runs"]
    monkeypatch.setattr(module, "_known", type(module._known)())
    return module


@pytest.fixture
def told(progress, monkeypatch):
    sent = []
    monkeypatch.setattr(progress, "send", sent.append)
    return sent


def stepped(watch=None):
    """A run of AB-Cache, evaluation by evaluation: every third step is computed, for a second, the others take none
    to speak of."""
    run = Run((Plan(Interval(OUTPUT, 3, Frame(1)), Extrapolation(2), name="test"),), Timeline.even(STEPS))
    for step in range(STEPS):
        computed = step % 3 == 0
        run.begin(run.timeline.sigmas[step], now=sum(1.0 if s % 3 == 0 else 0.25 for s in range(step)))
        kind = next(iter(OUTPUT))
        (run.evaluation.computed_calls if computed or step == STEPS - 1 else run.evaluation.predicted_calls)[kind] += 1
        if watch:
            watch(run)
    return run


def session_of(run, **more):
    parts = {"model_sampling": torch.nn.Identity(), "given": (), "origin": None, "lesson": "", "prices": {}} | {
        "method": None
    }
    return SimpleNamespace(run=run, **parts | more)


def test_cells_fill_one_by_one_with_what_was_done():
    left = []
    run = stepped(lambda run: left.append(view.done(run)["model"].count(None)))
    assert left == list(range(STEPS - 1, -1, -1))
    assert view.done(run)["model"][:6] == ["computed", "predicted", "predicted", "computed", "predicted", "predicted"]
    assert view.done(run) == view.planned(run)


def test_the_running_speed_up_is_of_the_finished_evaluations():
    assert view.rate_so_far(stepped()) == pytest.approx(11 / (4 * 1.0 + 7 * 0.25))


def test_what_a_table_would_take_follows_from_measured_seconds():
    run = Run((Plan(Interval(OUTPUT, 3, Frame(1)), Extrapolation(2)),), Timeline.even(STEPS))
    assert view.priced(run.table, {"compute": 1.0, "predict model": 0.25}) == (pytest.approx(5 + 7 * 0.25), 12)
    assert view.priced(run.table, {"compute": 1.0}) is None


def test_a_step_that_predicts_the_model_costs_that_whatever_rests_in_it():
    both = Run(
        (Plan(Interval(OUTPUT, 3, Frame(1)), Extrapolation(2)), Plan(Interval(MODULES, 2, Frame(1)))),
        Timeline.even(STEPS),
    )
    prices = {"compute": 1.0, "predict model": 0.25, "reuse both": 0.5}
    ran = [row & MODULES for row in both.table.rows if Kind.MODEL in row]
    expected = sum(1.0 if row else 0.5 for row in ran) + 0.25 * (STEPS - len(ran))
    assert view.priced(both.table, prices) == (pytest.approx(expected), STEPS)


def test_events_are_throttled_and_the_first_and_the_last_always_sent(progress, told, monkeypatch):
    clock = iter([100 + 0.03 * i for i in range(1000)])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    teller, began = progress.PageTimeline("7", "ABCacheApply"), []

    def watch(run):
        if not began:
            began.append(teller.began(run))
        teller.advanced(run)

    stepped(watch)
    assert 3 <= len(told) < STEPS
    assert told[-1]["cells"]["model"].count(None) == 0
    assert progress.known("7", "ABCacheApply").state == told[-1]


def test_the_facts_are_there_before_the_page_is_told_of_the_end(progress, monkeypatch):
    run = stepped()
    run.close()
    at_the_end = []
    monkeypatch.setattr(progress, "send", lambda state: at_the_end.append(progress.known("7", "ABCacheApply").facts))
    session = session_of(run)
    progress.PageTimeline("7", "ABCacheApply").ended(session, report(run, "Toy", True))
    assert at_the_end[0].timeline == run.timeline


def test_a_run_that_was_stopped_leaves_words_but_no_facts(progress, told):
    run = stepped()
    run.close()
    session = session_of(run)
    progress.PageTimeline("7", "ABCacheApply").ended(session, report(run, "Toy", False))
    assert progress.known("7", "ABCacheApply").facts is None
    assert not told[-1]["report"]["finished"]


def test_only_so_many_nodes_are_kept(progress, told):
    run = stepped()
    for node in range(progress.NODES + 5):
        progress.PageTimeline(str(node), "ABCacheApply").began(run)
    assert len(progress._known) == progress.NODES
    assert not progress.known("0", "ABCacheApply").state


def test_a_summary_names_seconds_shares_peak_and_demotions():
    run = stepped()
    run.close()
    said = replace(report(run, "Toy", True), demotions=("out of memory at step 4",)).summary()
    assert (said["saved"] > 0, said["shares"]["model"], said["bytes"]) == (True, pytest.approx(5 / 12), 0)
    assert said["less"] == ["out of memory at step 4"]


def test_a_node_of_a_subgraph_is_not_taken_for_one_with_its_id_outside(progress, told):
    progress.PageTimeline("7:3", "ABCacheApply").began(stepped())
    assert progress.known("7:3", "ABCacheApply").state
    assert not progress.known("3", "ABCacheApply").state


def test_runs_of_a_node_s_second_model_are_told_and_kept_apart(progress, told, answer):
    run = stepped()
    run.close()
    session = session_of(run)
    progress.PageTimeline("7", "ABCacheApply", 1).ended(session, report(run, "Toy", True))
    assert told[-1]["part"] == 1
    assert progress.known("7", "ABCacheApply").facts is None
    kept, asked = progress.known("7", "ABCacheApply", 1), {"class": "ABCacheApply", "node": "7"}
    kept.facts = replace(kept.facts, model_sampling=None)
    steps = [answer(json.dumps({**asked, **part}).encode())[1]["steps"] for part in ({}, {"part": 0}, {"part": 1})]
    assert steps == [20, 20, STEPS]  # those of the model's last run, where the page finds no sampler


SCENE = {"model": "flux", "how": "cfg 1", "size": 4096.0, "batch": 1}


@pytest.mark.parametrize(
    ("change", "cells", "priced", "kept"),
    [
        ({}, 64, True, True),
        ({"model": "wan"}, None, False, False),  # nothing is known
        ({"how": "cfg 3"}, None, False, True),  # no plan, and other prices
        ({"size": 8192.0}, 128, False, False),
        ({"size": 0.0}, None, False, False),
        ({"batch": 4}, 64, False, False),
    ],
)
def test_what_is_known_of_a_run_holds_in_its_scene(progress, told, change, cells, priced, kept):
    run, scene = stepped(), sys.modules[progress.__name__.replace("last_runs", "scene")].Scene
    run.close()
    origin = Origin("Toy", "abc", "euler", 64, 1, "today", "guided")
    progress.PageTimeline("7", "ABCacheApply").ended(session_of(run, origin=origin), report(run, "Toy", True))
    known = progress.known("7", "ABCacheApply")
    assert known.facts_in(scene(**SCENE)).origin == origin  # the first question is of the run's own scene
    facts = known.facts_in(scene(**SCENE | change))
    assert (facts is None) == ("model" in change)
    if facts:
        origin = facts.origin
        assert (origin and origin.cells, bool(facts.prices), bool(facts.memory)) == (cells, priced, kept)


def test_facts_are_of_the_scene_in_which_the_run_began(progress, told):
    run, scene = stepped(), sys.modules[progress.__name__.replace("last_runs", "scene")].Scene
    timeline, node = progress.PageTimeline("7", "ABCacheApply"), ("7", "ABCacheApply", 0)
    assert progress.asked(*node, scene("flux")) is None
    timeline.began(run)
    assert progress.asked(*node, scene("wan")) is None  # changed while it went on
    run.close()
    timeline.ended(session_of(run), report(run, "Toy", True))
    assert progress.asked(*node, scene("wan")) is None
    assert progress.asked(*node, scene("flux")).timeline == run.timeline


def test_the_prices_of_unseen_samplings_tell_what_the_next_picture_takes(progress, told):
    run = stepped()
    run.close()
    session = session_of(run, lesson="learned", prices={"compute": 7.0, "reuse both": 0.5})
    progress.PageTimeline("7", "ABCacheApply").ended(session, report(run, "Toy", True))
    prices = progress.known("7", "ABCacheApply").facts.prices
    assert (prices["compute"], prices["reuse both"]) == (1.0, 0.5)
    assert told[-1]["report"]["lesson"] == "learned"


def test_learning_is_told_with_what_is_done_of_it(progress, told):
    run, timeline = stepped(), progress.PageTimeline("7", "ABCacheApply")
    timeline.learning(run, 0, 24)
    timeline.learning(run, 24, 24)
    assert [(state["running"], state["learning"]) for state in told] == [(True, [0, 24]), (True, [24, 24])]


def test_an_apply_node_of_a_prompt_has_a_timeline_on_the_page(progress):
    # Was wrong once (last_runs.SCRIPTS): the file had moved a folder down, and no node had one.
    assert progress.SCRIPTS.is_dir()
    assert progress.page_timeline("7", "ABCacheApply").node == "7"
    assert progress.page_timeline("", "ABCacheApply") is None


@pytest.mark.parametrize(("error", "said"), [(ValueError("no such size"), "no such size"), (InterruptedError(), "")])
def test_what_ended_a_run_is_kept_for_a_page_that_is_loaded_anew(progress, told, error, said):
    timeline, run = progress.PageTimeline("7", "ABCacheApply"), stepped()
    timeline.began(run)

    def sampled():
        try:
            raise error
        finally:  # as a sampling ends
            timeline.ended(session_of(run), report(run, "Flux", finished=False))

    with pytest.raises(type(error)):
        sampled()
    assert told[-1]["failed"] == progress.known("7", "ABCacheApply").state["failed"] == said
    try:
        raise error
    except type(error):  # of another pack, which goes on after it
        timeline.ended(session_of(run), report(run, "Flux", finished=True))
    assert told[-1]["failed"] == ""
