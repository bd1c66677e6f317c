"""Cache Calibrate in a real ComfyUI: the plan is what it says, and an interrupted calibration goes on where it
stopped."""

import pytest
import torch
from comfy_models import flux
from test_learning import apart, model, prompt  # noqa: F401 (fixtures)
from test_weights import with_lora

from lab.condition import UNCONDITIONAL

pytestmark = pytest.mark.usefixtures("plans")

STEPS = 16
ASKED = {
    "target_speedup": 3.0,
    "target_drift": 0.0,
    "samples": 1,
    "calibration_budget": 3,
    "seed": 7,
    "cfg": 3.0,
    "site": "model output",
}


def sampler_of(name="euler"):
    import comfy.samplers

    return comfy.samplers.sampler_object(name)


def sigmas_of(model, steps=STEPS):  # noqa: F811
    import comfy.samplers

    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", steps)


def sampled(model, seed=7):  # noqa: F811
    """What SamplerCustom gives."""
    import comfy.sample

    latent = torch.zeros(1, 16, 16, 16)
    with torch.inference_mode():
        return comfy.sample.sample_custom(
            model,
            comfy.sample.prepare_noise(latent, seed),
            3.0,
            sampler_of(),
            sigmas_of(model),
            prompt(1),
            prompt(UNCONDITIONAL),
            latent,
            disable_pbar=True,
            seed=seed,
        )


@pytest.fixture
def calibrate(pack):
    @torch.inference_mode()
    def run(model, sampler="euler", steps=STEPS, **asked):  # noqa: F811
        node = pack.NODE_CLASS_MAPPINGS["CacheCalibrate"]()
        return node.calibrate(
            model,
            prompt(1),
            prompt(UNCONDITIONAL),
            {"samples": torch.zeros(2, 16, 16, 16)},
            sampler_of(sampler),
            sigmas_of(model, steps),
            **{**ASKED, **asked},
        )["result"]

    return run


class Counter:
    """Counts evaluations of a model, and can stop at one of them as a user would."""

    def __init__(self, model, stop=0):  # noqa: F811
        self.count, self.stop = 0, stop
        self.handle = model.model.diffusion_model.register_forward_pre_hook(self._seen)

    def _seen(self, *_):
        from comfy.model_management import InterruptProcessingException

        self.count += 1
        if self.count == self.stop:
            raise InterruptProcessingException

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.handle.remove()


def test_the_plan_drifts_on_its_sample_by_what_it_says(model, calibrate, ab):  # noqa: F811
    plan, report, curves = calibrate(model)
    plain = sampled(model)
    cached, mailbox = ab(model, plan=plan)
    assert apart(sampled(cached), plain) == pytest.approx(plan.drift, rel=1e-3)
    assert mailbox.latest.computed == 5
    assert torch.equal(sampled(model), plain)
    assert f"{plan.drift:.4f}" in report
    assert curves.shape[0] == 1
    assert curves.shape[-1] == 3


def test_the_budget_is_kept_and_more_of_it_is_never_worse(model, calibrate):  # noqa: F811
    drifts = []
    for budget in (2, 4):
        with Counter(model) as counter:
            drifts.append(calibrate(model, calibration_budget=budget)[0].drift)
        assert counter.count <= budget * STEPS
    assert drifts[1] <= drifts[0]


@pytest.mark.parametrize("stop", [5, STEPS + 3, STEPS + 5])
def test_interrupted_at_any_evaluation_it_goes_on_where_it_stopped_and_finds_the_same_plan(
    model,  # noqa: F811
    calibrate,
    plans,  # noqa: F811
    stop,
):
    from comfy.model_management import InterruptProcessingException

    with Counter(model) as whole:
        undisturbed = calibrate(model)[0]
    for path in plans.glob("*.safetensors"):
        path.unlink()
    with Counter(model, stop), pytest.raises(InterruptProcessingException):
        calibrate(model)
    with Counter(model) as rest:
        assert calibrate(model)[0] == undisturbed
    assert rest.count == whole.count - (STEPS if stop > STEPS else 0)
    assert not list(plans.glob("calibrating_*"))
    assert not list(plans.glob("unfinished*"))


def test_what_was_calibrated_before_is_not_calibrated_again_until_an_input_changes(model, calibrate, plans):  # noqa: F811
    plan = calibrate(model)[0]
    with Counter(model) as counter:
        again, report, curves = calibrate(model)
    assert (again, counter.count) == (plan, 0)
    assert "made before, from the same inputs; delete calibrated_" in report
    assert curves.shape[1] == 16 + 78
    with Counter(model) as counter:
        calibrate(model, seed=8)
    assert counter.count > STEPS


def test_what_an_interrupted_calibration_left_is_dropped_after_a_week(pack, plans):  # noqa: F811
    import os
    import time

    library = __import__(f"{pack.__name__}.nodes.comfy.plan_folder", fromlist=["library"])
    for name, age in (("unfinished_old", 8), ("unfinished_new", 6), ("unfinished_own", 9)):
        (plans / name).mkdir()
        (plans / name / "recorded_0.safetensors").touch()
        os.utime(plans / name, (time.time() - age * 24 * 3600,) * 2)
    assert library.unfinished("own") == plans / "unfinished_own"
    assert {path.name for path in plans.iterdir()} == {"unfinished_new", "unfinished_own"}


def test_a_drift_that_is_asked_for_is_reached_with_fewer_steps_where_it_may_be_larger(model, calibrate):  # noqa: F811
    wide, tight = (calibrate(model, target_drift=drift, calibration_budget=6)[0] for drift in (0.2, 0.05))
    assert wide.drift <= 0.2
    assert tight.drift <= 0.05
    assert wide.speedup > tight.speedup


def test_a_drift_that_cannot_be_reached_is_said(model, calibrate):  # noqa: F811
    assert "no plan comes as near" in calibrate(model, target_drift=1e-6)[1]


def test_a_cache_that_is_on_the_model_is_left_out(model, calibrate, ab, plans):  # noqa: F811
    first = calibrate(ab(model, interval=4)[0])[0]
    for path in plans.glob("*.safetensors"):
        path.unlink()
    assert calibrate(model)[0] == first


def test_fewer_samples_than_asked_for_are_said(model, calibrate):  # noqa: F811
    plan, report, _ = calibrate(model, samples=8)
    assert plan.origin.samples == 2
    assert "2 of 8 samples were recorded, as many as the budget allows" in report


def test_the_plan_is_refused_for_other_weights(model, calibrate, ab):  # noqa: F811
    plan = calibrate(model)[0]
    with pytest.raises(ValueError, match="another checkpoint, other"):
        ab(with_lora(model), plan=plan)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"sampler": "euler_ancestral"}, "adds new noise"),
        ({"sampler": "dpm_2"}, "cannot be calibrated"),
        ({"steps": 4}, "8 at least"),
        ({"steps": 36, "target_speedup": 8.0}, "leaves 4 of 36 steps .* needs 5. Lower it to 7.2"),
        ({"target_speedup": 9.0}, "allowed is 1.2 to 8"),
        ({"target_drift": float("nan")}, "allowed is 0.0 to 1"),
        ({"calibration_budget": 1}, "allowed is 2 to"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_with_the_reason(model, calibrate, plans, asked, message):  # noqa: F811
    with pytest.raises(ValueError, match=message):
        calibrate(model, **asked)
    assert not list(plans.glob("*.safetensors"))


def test_a_cache_of_another_pack_is_refused(pack, calibrate):
    rival = flux()
    rival.model_options["transformer_options"]["rel_l1_thresh"] = 0.4
    with pytest.raises(ValueError, match="TeaCache"):
        calibrate(rival)


def test_a_sampler_that_adds_noise_under_another_name_is_refused(model, pack, plans):  # noqa: F811
    import comfy.samplers

    def unheard_of(model, x, sigmas, extra_args=None, callback=None, disable=None):
        for sigma, after in zip(sigmas, sigmas[1:], strict=False):
            x = x + (after - sigma) / sigma * (x - model(x, sigma * x.new_ones([len(x)]), **(extra_args or {})))
            x = x + 0.1 * float(after) * torch.randn(x.shape, generator=torch.Generator().manual_seed(int(1e6 * after)))
        return x

    node = pack.NODE_CLASS_MAPPINGS["CacheCalibrate"]()
    with torch.inference_mode(), pytest.raises(ValueError, match="Set sampler to one that does not"):
        node.calibrate(
            model,
            prompt(1),
            prompt(UNCONDITIONAL),
            {"samples": torch.zeros(1, 16, 16, 16)},
            comfy.samplers.KSAMPLER(unheard_of),
            sigmas_of(model),
            **ASKED,
        )
    assert not list(plans.glob("*.safetensors"))
