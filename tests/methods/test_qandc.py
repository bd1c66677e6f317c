"""Q&C's variance compensation: least squares by channel, and what a run does with it."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from cache_core import OUTPUT, Plan, Run
from cache_core.calibrate import Recorder
from cache_core.calibrate.recording import channels_of, sampled_elements
from cache_core.errors import ConfigError
from cache_core.methods import QANDC, Profile, Sampling, Variant
from cache_core.methods.profile import AHEAD
from cache_core.predictor import Compensation, Extrapolation
from cache_core.predictor.compensation import gain
from cache_core.schedule import Steps
from cache_core.settings.method import LEARNED, MethodSettings
from cache_core.site import MODULES
from cache_core.timeline import Timeline
from lab.sample import flow_sigmas, load, noise_of, sample, timeline_of

STEPS = 16
SIGMAS = flow_sigmas(STEPS)
TIMELINE = Timeline.flow(SIGMAS)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def error(value, reference):
    return (value - reference).square().mean(-1)


def compensation(gains, mean=0.5, steps=4):
    """For each m the gain of every step and channel."""
    sigmas = tuple(1 - i / steps for i in range(steps))
    return Compensation(sigmas, ((mean, mean),) * steps, tuple(((k, k),) * steps for k in gains))


@pytest.fixture(scope="module")
def recorded():
    """Outputs and profile of an uncached run of the lab's FLUX."""
    model, _ = load()
    recorder, outputs = Recorder(timeline_of(SIGMAS)), Outputs()
    run = {"noise": noise_of([7]), "labels": torch.tensor([3]), "sigmas": SIGMAS}
    sample(model, **run, watch=recorder)
    sample(model, **run, watch=outputs)
    return model, run, outputs.seen, Profile.of(recorder.recording())


class Outputs:
    """A watch of the outputs, in order."""

    def __init__(self):
        self.seen = []

    def begin(self, sigma, state):
        pass

    def end(self, output):
        self.seen.append(output)
        return output


def test_a_value_in_place_of_itself_has_gain_1_and_half_of_the_spread_gain_2():
    value = drawn(3, 500)
    mean = value.mean(-1)
    assert torch.allclose(gain(value, value, mean), torch.ones(3, dtype=torch.float64))
    halved = mean.unsqueeze(-1) + (value - mean.unsqueeze(-1)) / 2
    assert torch.allclose(gain(value, halved, mean), torch.full((3,), 2.0, dtype=torch.float64))
    assert gain(value, mean.unsqueeze(-1).expand(3, 500), mean).tolist() == [1, 1, 1]


def test_no_gain_leaves_a_smaller_error_and_none_a_larger_one_than_reuse():
    value, reused = drawn(4, 300), drawn(4, 300, seed=1) + 0.7 * drawn(4, 300)
    mean = value.mean(-1)
    best = gain(value, reused, mean)

    def left(k):
        return error(mean.unsqueeze(-1) + k.unsqueeze(-1) * (reused - mean.unsqueeze(-1)), value)

    assert bool((left(best) < left(torch.ones(4))).all())
    for other in (best * 0.98, best * 1.02):
        assert bool((left(best) < left(other)).all())


def test_gain_1_is_the_reused_output_whatever_the_mean():
    value = drawn(1, 2, 5, 5).float()
    found = compensation((1.0, 1.0), mean=17.0).applied(value, 1.0, 0.75)
    assert torch.allclose(found, value, atol=1e-5)


@pytest.mark.parametrize(("k", "held"), [(0.9, 0.9), (0.1, 0.8), (3.0, 1.25)])
def test_each_channel_moves_about_its_mean_by_a_gain_within_bounds(k, held):
    value = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1).expand(2, 2, 3, 3).to(torch.bfloat16)
    rule = replace(compensation((k,)), means=((0.0, 0.0), (0.5, 1.0), (0.0, 0.0), (0.0, 0.0)))
    found = rule.applied(value, 1.0, 0.75)
    assert found.dtype is torch.bfloat16
    assert found[1, :, 0, 0].tolist() == pytest.approx([0.5 + held * 0.5, 1.0 + held * 2.0], rel=0.01)


@pytest.mark.parametrize(("node", "at"), [(0.75, 0.75), (0.5, 0.75), (1.0, 0.25), (1.0, 0.6), (0.9, 0.75)])
def test_for_a_pair_of_steps_that_was_not_recorded_the_output_is_reused_as_it_is(node, at):
    value = drawn(1, 2, 3, 3)
    assert compensation((1.1, 1.1)).applied(value, node, at) is value


@pytest.mark.parametrize("shape", [(1, 16, 8, 8), (2, 3, 4, 5, 6), (1, 64, 50)])
@pytest.mark.parametrize("limit", [100, 10**6])
def test_the_channel_of_each_recorded_element_is_known(shape, limit):
    value = torch.arange(shape[1], dtype=torch.float32).view(-1, *(1,) * (len(shape) - 2)).expand(shape).clone()
    assert channels_of(shape, limit).tolist() == sampled_elements(value, limit).tolist()


def test_the_profile_has_the_means_and_gains_of_whole_outputs(recorded):
    _, _, outputs, profile = recorded
    whole = [output[0].flatten(1).double() for output in outputs]
    assert len(profile.gains) == AHEAD
    for step in (1, 5, STEPS - 1):
        mean = whole[step].mean(-1)
        assert profile.means[step] == pytest.approx(mean.tolist(), rel=1e-4, abs=1e-5)
        assert profile.gains[0][step] == pytest.approx(gain(whole[step], whole[step - 1], mean).tolist(), rel=1e-4)
    assert set(profile.gains[2][2]) == {1.0}  # there is no step -1


def test_a_profile_is_read_as_it_was_written_and_one_with_other_lengths_is_refused(recorded):
    profile = recorded[3]
    written = json.loads(json.dumps(asdict(profile)))
    assert Profile.from_json(written) == profile
    for wrong in ({"means": written["means"][:-1]}, {"gains": written["gains"][:-1]}, {"means": []}):
        with pytest.raises(ConfigError, match="differ in length"):
            Profile.from_json({**written, **wrong})


def test_it_takes_the_place_of_the_output_before_a_picture_is_recorded_as_after():
    settings = MethodSettings("Q&C", curves=LEARNED, variant=Variant("Flux"))
    assert settings.records
    assert settings.plan(TIMELINE).kinds == OUTPUT


def test_the_first_reused_output_is_nearer_to_the_computed_one_in_every_channel(recorded):
    model, run, outputs, profile = recorded
    plan = QANDC.plan(Sampling(TIMELINE, profile=profile), 2)
    found = {}
    for name, tried in {"compensated": plan, "reused": replace(plan, compensation=None)}.items():
        watch = Outputs()
        sample(model, **run, plans=(tried,), watch=watch)
        found[name] = error(watch.seen[1][0].flatten(1), outputs[1][0].flatten(1))
    assert bool((found["compensated"] <= found["reused"]).all())
    assert bool((found["compensated"] < found["reused"]).any())


@pytest.mark.parametrize("interval", [2, 3, 4])
def test_the_recorded_picture_drifts_less_compensated(recorded, interval):
    model, run, _, profile = recorded
    plan = QANDC.plan(Sampling(TIMELINE, profile=profile), interval)
    plain, _ = sample(model, **run)
    compensated, reused = (sample(model, **run, plans=(p,))[0] for p in (plan, replace(plan, compensation=None)))
    assert (compensated - plain).norm() < 0.99 * (reused - plain).norm()


def test_a_run_that_may_only_reuse_does_not_compensate_and_says_so():
    plan = Plan(Steps(OUTPUT, (0,)), compensation=compensation((1.2,), steps=STEPS))
    run = Run((plan,), TIMELINE)
    run.reuse("the sampler adds noise")
    assert run.reusing
    assert any("reused, not predicted" in note for note in run.notes)


def test_only_a_reused_output_of_the_model_is_compensated():
    for schedule, predictor in ((Steps(MODULES, (0,)), Extrapolation(1)), (Steps(OUTPUT, (0,)), Extrapolation(2))):
        with pytest.raises(ConfigError, match="reused output of the model"):
            Plan(schedule, predictor, compensation=compensation((1.0,)))


def test_it_is_refused_as_released_and_for_packed_latents():
    with pytest.raises(ConfigError, match="learned on this model"):
        QANDC.plan(Sampling(TIMELINE), 2)
    curve = (1.0,) * STEPS
    packed = Profile(SIGMAS[:-1], curve, curve, curve, (curve,) * AHEAD)
    with pytest.raises(ConfigError, match="packs video and sound"):
        QANDC.plan(Sampling(TIMELINE, profile=packed), 2)


def test_its_plan_is_for_the_guided_output(recorded):
    plan = QANDC.plan(Sampling(TIMELINE, profile=recorded[3]), 3)
    assert (plan.kinds, plan.guided, plan.merge) == (OUTPUT, True, False)
    assert plan.schedule.table(TIMELINE).computed(next(iter(OUTPUT))) == tuple(range(0, STEPS, 3))
