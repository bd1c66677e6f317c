"""The response of ComfyUI's samplers, read by a sampling of unit outputs, explains real samplings by them."""

import pytest
import torch
from comfy_models import ksample

from lab.condition import UNCONDITIONAL, condition
from lab.families import FLUX
from lab.in_comfyui import comfyui_model

STEPS = 20
ONE_CALL = (
    "euler",
    "ddim",
    "lms",
    "ipndm",
    "ipndm_v",
    "deis",
    "dpmpp_2m",
    "res_multistep",
    "gradient_estimation",
    "uni_pc",
)


@pytest.fixture(scope="module")
def model():
    return comfyui_model(FLUX)


def prompt(label):
    context, vector = condition(torch.tensor([label]))
    return [[context, {"pooled_output": vector}]]


def recording(pack, model, sampler):
    """The recording of a sampling by this sampler, by way of a watch on a clone."""
    attach = __import__(f"{pack.__name__}.nodes.comfy.attach", fromlist=["watched"])
    calibrate = __import__(f"{pack.__name__}.cache_core.calibrate", fromlist=["Recorder"])
    found = {}

    class Late:
        """A recorder that learns the timeline from the session."""

        def begin(self, sigma, state):
            if "recorder" not in found:
                found["recorder"] = calibrate.Recorder(found["timeline"])
            found["recorder"].begin(sigma, state)

        def end(self, output):
            return found["recorder"].end(output)

    session = __import__(f"{pack.__name__}.nodes.comfy.session", fromlist=["Session"]).Session
    begin = session.begin.__func__

    def noted(cls, settings, guider, timeline, *rest):
        found["timeline"] = timeline
        return begin(cls, settings, guider, timeline, *rest)

    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(session, "begin", classmethod(noted))
        how = {"size": 16, "positive": prompt(1), "negative": prompt(UNCONDITIONAL)}
        ksample(attach.watched(model, (), Late()), steps=STEPS, sampler=sampler, **how)
    return found["timeline"], found["recorder"].recording()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("sampler", ONE_CALL)
def test_a_sampler_that_asks_once_a_step_is_explained_and_steered_wholly(pack, model, sampler):
    timeline, recorded = recording(pack, model, sampler)
    assert timeline.response is not None
    assert recorded.unexplained < 1e-3
    assert recorded.steering == 1.0


def test_euler_s_response_is_the_one_that_is_taken_for_granted(pack, model):
    timeline, _ = recording(pack, model, "euler")
    own = type(timeline.responds).of_euler(timeline.sigmas)
    assert timeline.response.final == pytest.approx(own.final, abs=1e-6)


@pytest.mark.parametrize("sampler", ["dpm_2", "euler_ancestral", "euler_cfg_pp"])
def test_no_response_is_read_of_samplers_that_ask_between_steps_or_add_noise(pack, model, sampler):
    import comfy.samplers

    foresight = __import__(f"{pack.__name__}.nodes.comfy.foresight", fromlist=["timeline_of"])
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", STEPS)
    kept, state = sigmas.clone(), torch.random.get_rng_state()
    timeline = foresight.timeline_of(model, comfy.samplers.sampler_object(sampler), sigmas, 1.0)
    assert timeline.response is None
    assert not timeline.slopes  # the widgets of the preset count
    assert torch.equal(sigmas, kept)
    assert torch.equal(torch.random.get_rng_state(), state)
