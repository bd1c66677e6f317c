"""What several model calls in one step must come to, beyond what the matrix asks of every scenario (tests/host/scenarios)."""

import pytest
import torch
from comfy_models import MIXED
from control import Control
from scenarios.prompts import twice, with_facts
from scenarios.scene import FAMILIES, scene

WAYS = {"merged": {"preset": "auto", "memory": 1.0}, "every site": {**MIXED, "stage_boundary": 0.8, "memory": 1.0}}
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
    once, both = (here.sample(feb(here.model, **way)[0], positive=positive, **HOW) for positive in (here.positive, twice(here)))
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
    """With blocks that add nothing, all that happens in the lists is the control: a cached run must equal the plain one."""
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
