# ruff: noqa: F811 (fixtures come by import)
"""Two models on one Apply node, sampled in turn, as Wan 2.2's experts."""

import pytest
import torch
from comfy_models import MIXED, NEVER, fill, flux
from test_learning import apart  # noqa: F401 (fixtures)
from test_real_settings import expert

from lab.families import FLUX
from lab.in_comfyui import comfyui_model

pytestmark = pytest.mark.usefixtures("plans")

STEPS, HALF = 20, 10
AB = {"interval": 3, "warmup_steps": 2}


def second_of(build, seed: int = 7):
    """A model like another one, with weights of its own."""
    model = build()
    fill(model.model.diffusion_model, seed)
    return model


@pytest.fixture(scope="module")
def trained():
    """A trained model, and one a little further trained."""
    first, second = comfyui_model(FLUX), comfyui_model(FLUX)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in second.model.diffusion_model.parameters():
            p.mul_(1 + 0.02 * torch.randn(p.shape, generator=generator))
    return first, second


def in_turn(first, second, seed: int = 1):
    """Ten steps by one model, ten by the other, as two KSamplerAdvanced nodes sample them."""
    half = expert(first, None, seed, last_step=HALF, force_full_denoise=False)
    return expert(second, half, seed, start_step=HALF, disable_noise=True)


def test_a_pair_learns_a_plan_for_each_half_and_one_report_tells_both(pack, trained, ab, plans):
    plain = in_turn(*trained)
    first, mailbox, second = ab(trained[0], "auto", learn=True, model_2=trained[1])
    assert torch.equal(in_turn(first, second), plain)
    assert len(list(plans.glob("*.safetensors"))) == 2
    near = in_turn(first, second, 7)
    assert [report.computed for report in mailbox.reports[-2:]] == [4, 4]
    assert apart(near, in_turn(*trained, 7)) < 0.1
    text = read(pack, mailbox)
    assert text.startswith("two models, one after the other: 10 + 10 steps")
    assert text.count("the model ran in 4") == 2


def test_feb_cache_takes_a_pair_too(pack, trained, feb):
    first, mailbox, second = feb(trained[0], **MIXED, model_2=trained[1])
    assert 0 < apart(in_turn(first, second), in_turn(*trained)) < 0.3
    assert read(pack, mailbox).count("attention: ") == 2
    first, _, second = feb(trained[0], **NEVER, model_2=trained[1])
    assert torch.equal(in_turn(first, second), in_turn(*trained))


def test_when_the_second_sampler_is_still_to_come_the_report_tells_the_first_alone(pack, trained, ab, plans):
    first, mailbox, second = ab(trained[0], **AB, model_2=trained[1])
    in_turn(first, second)
    expert(first, None, 2, last_step=HALF, force_full_denoise=False)
    assert "two models" not in read(pack, mailbox)
    expert(first, None, 2)  # all the steps: there is nothing left for another model
    expert(second, None, 2, start_step=HALF)
    assert "two models" not in read(pack, mailbox)


def test_halves_of_four_steps_are_computed_and_say_so(pack, trained, ab, plans):
    first, mailbox, second = ab(trained[0], "auto", learn=True, model_2=trained[1])
    half = expert(first, None, 1, steps=8, last_step=4, force_full_denoise=False)
    expert(second, half, 1, steps=8, start_step=4, disable_noise=True)
    assert [report.computed for report in mailbox.reports] == [4, 4]
    assert read(pack, mailbox).count("4 steps leave nothing to predict") == 2


def read(pack, mailbox) -> str:
    """What Cache Report says."""
    return pack.NODE_CLASS_MAPPINGS["CacheReport"]().read({}, mailbox)["result"][1]


def test_the_output_without_its_input_stops_whatever_it_goes_into(pack, trained):
    graph = pytest.importorskip("comfy_execution.graph")
    for name in ("ABCacheApply", "FEBCacheApply"):
        blocked = pack.NODE_CLASS_MAPPINGS[name]().apply(trained[0], "auto")[2]
        assert isinstance(blocked, graph.ExecutionBlocker)
        assert "Connect the second model" in blocked.message


def test_a_plan_of_one_model_is_refused_for_a_pair(pack, trained, ab, plans):
    errors = __import__(f"{pack.__name__}.cache_core.errors", fromlist=["ConfigError"])
    cached, mailbox = ab(trained[0], "auto", learn=True)
    expert(cached, None, 1)
    saved = __import__(f"{pack.__name__}.nodes.comfy.plan_folder", fromlist=["read"])
    plan = saved.read(next(path.name for path in plans.iterdir() if path.suffix == ".safetensors"))
    assert ab(trained[0], plan=plan)
    with pytest.raises(errors.ConfigError, match="model_2: .*a node of its own"):
        ab(trained[0], plan=plan, model_2=trained[1])


def test_attention_and_mlp_are_asked_for_on_both_models(pack, trained, feb):
    errors = __import__(f"{pack.__name__}.cache_core.errors", fromlist=["HostError"])
    bare = flux()
    bare.model.diffusion_model = torch.nn.Linear(2, 2)
    with pytest.raises(errors.HostError):
        feb(trained[0], model_2=bare)
