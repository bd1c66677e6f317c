"""What several model calls in one step must come to, beyond what the matrix asks of every scenario
(tests/host/scenarios)."""

import pytest
import torch
from comfy_models import MIXED
from control import Control
from scenarios.prompts import twice, with_facts
from scenarios.scene import FAMILIES, scene

MERGED = {"attention_interval": 2, "mlp_interval": 2, "fragile_interval": 2, "warmup_steps": 8}
WAYS = {"merged": {**MERGED, "memory": 1.0}, "every site": {**MIXED, "stage_boundary": 0.8, "memory": 1.0}}
TRANSFORMERS = tuple(family for family in FAMILIES if family != "U-Net")
HOW = {"steps": 16, "cfg": 3.0}


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


def apart(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("family", TRANSFORMERS)
def test_a_prompt_given_twice_is_two_streams_that_end_as_one(family, feb, way):
    here = scene(family)
    prompts = (here.positive, twice(here))
    once, both = (here.sample(feb(here.model, **way)[0], positive=positive, **HOW) for positive in prompts)
    assert apart(both, once) <= 3e-6


@pytest.mark.parametrize("family", ["FLUX", "SD3", "Wan"])
def test_guidance_by_skipped_layers_shows_in_the_cached_picture(family, feb, way):
    from comfy_extras.nodes_slg import SkipLayerGuidanceDiT

    here = scene(family)
    guided = SkipLayerGuidanceDiT.execute(here.model, 2.0, 0.0, 1.0, double_layers="1", single_layers="")[0]
    assert apart(here.sample(feb(guided, **way)[0], **HOW), here.sample(feb(here.model, **way)[0], **HOW)) > 1e-4


@pytest.mark.parametrize("start", [1.0, 0.6])
@pytest.mark.parametrize("family", ["FLUX", "HunyuanVideo", "SD3"])
def test_control_residuals_are_added_once_at_every_step(family, start, feb, way):
    """With blocks that add nothing, the lists add the control alone: a cached run must equal the plain one."""
    here = FAMILIES[family](torch.float32)
    tokens = torch.Size(here.shape[1:]).numel() // 4
    controlled = with_facts(here.positive, control=Control(tokens, 128, start), control_apply_to_uncond=True)
    with torch.no_grad():
        for part, p in here.model.model.diffusion_model.named_parameters():
            if part.endswith((".lin.weight", ".lin.bias")) or "block.adaLN_modulation.1" in part:
                p.zero_()
    plain = here.sample(here.model, positive=controlled, **HOW)
    assert apart(here.sample(here.model, **HOW), plain) > 1e-3  # the control does something
    assert apart(here.sample(feb(here.model, **way)[0], positive=controlled, **HOW), plain) <= 3e-6


class Counted(Control):
    """How often the residuals were computed, by sigma."""

    def __init__(self, *args):
        super().__init__(*args)
        self.sigmas = []

    def get_control(self, x, t, *args):
        self.sigmas.append(round(float(t.max()), 5))
        return super().get_control(x, t, *args)


def controlled(here, model):
    """A sample with ControlNet on both prompts, and the sigmas at which it was computed."""
    control = Counted(torch.Size(here.shape[1:]).numel() // 4, 128, 1.0)
    return here.sample(
        model, positive=with_facts(here.positive, control=control, control_apply_to_uncond=True), **HOW
    ), control.sigmas


def overheard(model):
    """A clone with a wrapper that sees the residuals on their way to the model, and does nothing."""
    clone = model.clone()
    clone.set_model_unet_function_wrapper(lambda apply, given: apply(given["input"], given["timestep"], **given["c"]))
    return clone


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "with FEB-Cache"])
@pytest.mark.parametrize("family", ["FLUX", "HunyuanVideo", "SD3"])
def test_a_controlnet_is_computed_where_the_models_output_is_and_the_sample_stays_the_same(
    family, beside, ab, feb, way
):
    here = scene(family)
    cached, mailbox = ab(feb(here.model, **way)[0] if beside else here.model, interval=3, warmup_steps=3)
    sample, sigmas = controlled(here, cached)
    rows = mailbox.latest.rows
    same, everywhere = controlled(here, overheard(cached))
    assert torch.equal(sample, same)
    assert list(dict.fromkeys(everywhere)) == [round(row.sigma, 5) for row in rows]
    assert (
        list(dict.fromkeys(sigmas))
        == [round(row.sigma, 5) for row in rows if "model" not in row.state]
        != list(dict.fromkeys(everywhere))
    )


@pytest.mark.parametrize("family", ["FLUX", "HunyuanVideo", "SD3"])
def test_feb_cache_has_a_controlnet_at_every_step(family, feb, way):
    here = scene(family)
    assert len(set(controlled(here, feb(here.model, **way)[0])[1])) == HOW["steps"]


def test_a_controlnet_is_computed_where_its_conditioning_has_nothing_to_predict_from(ab):
    """The prompt with the ControlNet begins at a step that is predicted for the one that is there from the start."""
    here = scene("FLUX")
    control = Counted(torch.Size(here.shape[1:]).numel() // 4, 128, 1.0)
    cached, mailbox = ab(here.model, interval=5, warmup_steps=2, final_steps=1)
    here.sample(cached, **HOW)
    computed = [round(row.sigma, 5) for row in mailbox.latest.rows if row.state == "compute"]
    late = with_facts(here.positive, control=control, start_percent=0.5)
    sample = here.sample(cached, positive=[*here.positive, *late], **HOW)
    seen = list(dict.fromkeys(control.sigmas))
    assert seen[0] not in computed
    assert set(seen[1:]) <= set(computed)
    assert torch.equal(here.sample(overheard(cached), positive=[*here.positive, *late], **HOW), sample)
