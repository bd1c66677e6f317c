"""A learned plan belongs to what guided the outputs it was learned from."""

import pytest
import torch
from comfy_models import conditioning, flux, ksample
from control import Control

WHOLE = (0.0, 1.0)


@pytest.fixture(scope="module")
def model():
    return flux()


@pytest.fixture
def name(pack):
    """The name of what guides a sampling."""
    guidance = __import__(f"{pack.__name__}.nodes.comfy.guidance", fromlist=["guidance"]).guidance

    def of(model, kind=None, positive=None, negative=None, cfg=4.0, sampler="euler", options=None, masked=False):
        import comfy.samplers

        guider = (kind or comfy.samplers.CFGGuider)(model)
        if kind is None:
            guider.set_conds(positive or conditioning(1), negative or conditioning(2))
            guider.set_cfg(cfg)
        else:
            guider.set_conds(positive or conditioning(1))
        guider.conds = {key: [cond.copy() for cond in found] for key, found in guider.original_conds.items()}
        return guidance(guider, comfy.samplers.ksampler(sampler, options or {}), masked)

    return of


def controlled(strength=1.0, percents=WHOLE):
    control = Control(16, 128, 1)
    control.strength, control.timestep_percent_range = strength, percents
    return [
        [tensor, {**values, "control": control, "control_apply_to_uncond": True}] for tensor, values in conditioning(1)
    ]


def hooked(strength):
    import comfy.hooks

    hooks = comfy.hooks.create_hook_lora({"a": torch.ones(2, 2)}, strength, strength)
    return [[tensor, {**values, "hooks": hooks}] for tensor, values in conditioning(1)]


def guided_by(flux_guidance):
    return [[tensor, {**values, "guidance": flux_guidance}] for tensor, values in conditioning(1)]


def rescaled(model, multiplier):
    def rescale(args):
        return args["uncond"] + multiplier * (args["cond"] - args["uncond"])

    clone = model.clone()
    clone.set_model_sampler_cfg_function(rescale)
    return clone


def after_cfg(model, scale):
    clone = model.clone()
    clone.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * scale)
    return clone


def patched(model, weight):
    clone = model.clone()
    clone.set_model_attn1_patch(lambda q, k, v, extra_options: (q * weight, k, v))
    return clone


def referenced(count):
    return [
        [tensor, {**values, "reference_latents": [torch.ones(1, 16, 8, 8)] * count}]
        for tensor, values in conditioning(1)
    ]


def test_what_changes_the_guided_output_changes_the_name(model, name):
    names = [name(model, cfg=cfg) for cfg in (1.0, 2.0, 7.0)]
    names += [
        name(model, positive=controlled(strength, percents))
        for strength, percents in ((1.0, WHOLE), (0.5, WHOLE), (1.0, (0.0, 0.5)))
    ]
    names += [name(model, positive=hooked(strength)) for strength in (1.0, 0.5)]
    names += [name(model, positive=guided_by(value)) for value in (2.0, 30.0)]
    names += [name(model, positive=referenced(count)) for count in (1,)]
    names += [name(change(model, value)) for change in (rescaled, after_cfg, patched) for value in (0.5, 0.7)]
    names += [
        name(model, masked=True),
        name(model, sampler="euler_ancestral", options={"eta": 0.0}),
        name(model, positive=2 * conditioning(1)),
    ]
    assert len(set(names)) == len(names)


def test_what_does_not_keeps_it(model, name):
    assert name(model, cfg=3.5) == name(model, cfg=3.5001)
    assert name(model, positive=conditioning(5), negative=conditioning(6)) == name(model)
    assert name(rescaled(model, 0.5)) == name(rescaled(model, 0.5))
    assert name(model, positive=controlled()) == name(model, positive=controlled())
    assert name(model.clone()) == name(model)


def test_guidance_of_one_is_the_same_from_every_guider(model, name):
    from comfy_extras.nodes_custom_sampler import Guider_Basic

    assert name(model, cfg=1.0, negative=controlled()) == name(model, cfg=1.0) == name(model, Guider_Basic)


def test_every_number_of_a_guider_counts(model, pack):
    guidance = __import__(f"{pack.__name__}.nodes.comfy.guidance", fromlist=["guidance"]).guidance
    from comfy.samplers import CFGGuider, ksampler

    class Other(CFGGuider):
        pass

    def of(kind, **numbers):
        guider = kind(model)
        guider.set_conds(conditioning(1), conditioning(2))
        guider.conds = guider.original_conds
        vars(guider).update(numbers)
        return guidance(guider, ksampler("euler"), masked=False)

    names = [
        of(CFGGuider, cfg=3.0),
        of(Other, cfg=3.0),
        of(Other, cfg1=3.0, cfg2=1.0),
        of(Other, cfg1=3.0, cfg2=2.0),
        of(Other, nested=True),
        of(Other, neg_scale=0.5),
    ]
    assert len(set(names)) == len(names)
    assert of(Other, seed=1) == of(Other, seed=2)


def test_a_sampling_leaves_the_name_as_it_is(model, name):
    """Hooks, ControlNets and wrappers note things while a picture is sampled."""
    for positive in (controlled(), hooked(0.5)):
        before = name(model, positive=positive)
        ksample(model, positive=positive)
        assert name(model, positive=positive) == before
