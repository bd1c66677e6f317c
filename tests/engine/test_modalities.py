"""A latent of several modalities: each is predicted from its own past, with weights and a drift of its own."""

from dataclasses import replace

import pytest
import torch

from cache_core import OUTPUT, Adaptive, Extrapolation, Frame, Kind, Plan, Run, Steps, Timeline, evenly
from cache_core.calibrate import Recorder, fit, steps_for
from cache_core.calibrate.recording import drifts_by_modality, relative_l2, sampled_elements
from cache_core.modality import Modality, apart, modalities_of
from cache_core.predictor import Fit, Fitted
from cache_core.run.engine import evaluate

STEPS, SIZES = 20, (600, 40)
VIDEO, AUDIO = slice(0, 600), slice(600, 640)
TIMELINE = replace(Timeline.even(STEPS), modalities=(Modality("video", 600), Modality("audio", 40)))


def noise(seed):
    return torch.randn(1, 1, sum(SIZES), generator=torch.Generator().manual_seed(seed))


def model(x, sigma):
    """Slopes of two modalities: the video's bends slowly, the audio's faster, and each leans a little on the other."""
    video, audio = x[..., VIDEO], x[..., AUDIO]
    slow = torch.sin(2 * video + 3 * sigma) + 0.1 * audio.mean()
    return torch.cat((slow, torch.sin(2 * audio + 9 * sigma) + 0.1 * video.mean()), -1)


def sampled(seed=1, plans=(), watch=None, sizes=SIZES, velocity=model):
    """The final latent of an Euler sampling, and its run."""
    x, run = noise(seed), Run(plans, TIMELINE) if plans else None
    for sigma, after in zip(TIMELINE.sigmas, TIMELINE.sigmas[1:], strict=False):
        if watch:
            watch.begin(sigma, x)
        if run:
            run.begin(sigma)
            output = evaluate(run, ("prompt",), x.shape, lambda x=x, s=sigma: velocity(x, s), sizes=sizes)
        else:
            output = velocity(x, sigma)
        output = watch.end(output) if watch else output
        x = x + (after - sigma) * output
    return x, run


def recorded(seed=1):
    recorder = Recorder(TIMELINE)
    final, _ = sampled(seed, watch=recorder)
    return recorder.recording(), final


def learned(count=8, shares=()):
    """Steps, fits of each modality, and the final latent of the fitting run."""
    recording, _ = recorded()
    steps = steps_for([recording], count, TIMELINE.signal, shares=shares)
    fits, final = fit(lambda plan, tracker: sampled(plans=(plan,), watch=tracker)[0], [recording], OUTPUT, steps)
    return steps, fits, final


def test_shapes_of_a_clip_are_video_and_audio_and_others_are_numbered():
    clip = modalities_of([(1, 24, 3, 8, 8), (1, 32, 2, 20)])
    assert clip == (Modality("video", 24 * 3 * 8 * 8), Modality("audio", 32 * 2 * 20))
    assert [modality.name for modality in modalities_of([(1, 8192, 16), (1, 1, 8)])] == ["latent 1", "latent 2"]
    assert modalities_of([(1, 16, 8, 8)]) == modalities_of([]) == ()


def test_a_value_that_is_not_packed_from_these_sizes_stays_whole():
    value = noise(1)
    assert [part.shape[-1] for part in apart(value, SIZES)] == list(SIZES)
    assert apart(value, (600, 41)) == apart(value, ()) == (value,)


def test_with_one_predictor_for_both_each_output_is_that_of_the_whole():
    plan = Plan(Steps(OUTPUT, evenly(STEPS, 7)), Extrapolation(3))
    assert torch.equal(sampled(plans=(plan,))[0], sampled(plans=(plan,), sizes=())[0])


def test_a_call_counts_once_for_each_modality_and_shares_stay_shares():
    _, run = sampled(plans=(Plan(Steps(OUTPUT, evenly(STEPS, 10)), Extrapolation(2)),))
    assert {sum(e.computed_calls.values()) + sum(e.predicted_calls.values()) for e in run.evaluations} == {2}
    assert len(run.store.of(Kind.MODEL)) == len(run.store.by_site(Kind.MODEL)) == 2


def test_a_prediction_of_one_modality_has_its_own_weights():
    at, nodes = TIMELINE.sigmas[2], (TIMELINE.sigmas[1], TIMELINE.sigmas[0])
    own = Fitted((Fit(at, nodes, (1.0, 0.0)),), others=((Fit(at, nodes, (0.0, 1.0)),),))
    seen = []

    def velocity(x, sigma):
        seen.append(model(x, sigma))
        return seen[-1]

    x, run = noise(3), Run((Plan(Steps(OUTPUT, (0, 1, STEPS - 1)), own),), TIMELINE)
    for sigma in TIMELINE.sigmas[:3]:
        run.begin(sigma)
        output = evaluate(run, ("prompt",), x.shape, lambda s=sigma: velocity(x, s), sizes=SIZES)
    assert len(seen) == 2
    assert torch.equal(output[..., VIDEO], seen[1][..., VIDEO])
    assert torch.equal(output[..., AUDIO], seen[0][..., AUDIO])


def test_the_order_of_a_predictor_is_the_largest_of_its_modalities():
    fits = tuple(Fit(0.1, (0.4, 0.3, 0.2)[:n], (1.0,) * n) for n in (2, 3))
    assert Fitted(fits[:1], others=(fits[1:],)).order == 3
    assert Fitted((), others=((Fit(0.4, (0.4, 0.5), (1.0, 0.1)),),)).reach == 2


def test_the_fitting_run_is_repeated_by_the_plan():
    steps, (first, *others), final = learned()
    plan = Plan(Steps(OUTPUT, steps), Fitted(first, others=tuple(others)))
    assert relative_l2(sampled(plans=(plan,))[0], final) < 1e-5


def test_audio_that_is_a_fifteenth_of_the_clip_is_fitted_as_well_as_the_video():
    """With weights of its own. One set for all follows the video, whose elements are many more."""
    recording, plain = recorded()
    steps, _, final = learned()

    def together(plan, tracker):
        return sampled(plans=(plan,), watch=tracker, sizes=())[0]

    alone = replace(recording, sizes=(), lengths=())
    _, merged = fit(together, [alone], OUTPUT, steps)
    (video, audio), (_, audio_before) = (drifts_by_modality(x, plain, SIZES) for x in (final, merged))
    assert audio < 0.5 * audio_before
    assert audio < 2 * video


def test_a_larger_share_moves_computed_steps_to_where_the_audio_changes():
    plain = recorded()[1]
    (of_video, _, first), (of_audio, _, second) = (learned(7, shares) for shares in ((10.0, 1.0), (1.0, 10.0)))
    (video, audio), (video_after, audio_after) = (drifts_by_modality(x, plain, SIZES) for x in (first, second))
    assert of_video != of_audio
    assert audio_after / video_after < 0.8 * audio / video


def test_each_modality_has_its_share_of_the_recorded_elements():
    value = torch.arange(10_000.0).view(1, 1, -1)
    assert (sampled_elements(value, 1000, (9_900, 100)) >= 9_900).sum() == 100
    assert (sampled_elements(value, 1000) >= 9_900).sum() < 30


def test_a_balanced_recording_counts_relative_errors_alike():
    recording, _ = recorded()
    balanced = recording.balanced()
    norms = [part.norm() for part in balanced.states[-1].split(list(balanced.lengths))]
    assert norms == pytest.approx([1.0, 1.0], rel=1e-5)
    x = noise(5)
    assert torch.allclose(balanced.sampled_elements(3 * x), 3 * balanced.sampled_elements(x))


def test_with_a_tolerance_the_modality_that_is_furthest_off_decides():
    adaptive = Plan(Adaptive(OUTPUT, 0.1, 4, Frame(2, 1)), Extrapolation(2))

    def faint_but_fast(x, sigma):
        time = torch.tensor(sigma)
        return torch.cat((torch.ones_like(x[..., VIDEO]) + time, torch.sin(20 * time) * torch.ones(1, 1, 40) / 100), -1)

    def computed(sizes):
        _, run = sampled(plans=(adaptive,), sizes=sizes, velocity=faint_but_fast)
        return sum(not evaluation.predicted for evaluation in run.evaluations)

    assert computed(SIZES) > computed(())
