"""Everything that makes one step call the model more than once, or on other rows: each stream keeps its own, and none is mixed up."""

import pytest
import torch
from comfy_models import MIXED, NEVER
from test_hunyuan_video import hunyuan, text
from tiny import TINY, noise

FRAMES = 6
WAYS = {"merged": {"preset": "auto", "memory": 1.0}, "every site": {**MIXED, "stage_boundary": 0.8, "memory": 1.0}}


class Scene:
    """A tiny model, its prompts, and the latent's shape. `sample` is what the KSampler node does."""

    def __init__(self, model, shape, positive, negative):
        self.model, self.shape, self.positive, self.negative = model, shape, positive, negative

    def sample(self, model=None, steps=16, cfg=3.0, positive=None, mask=None):
        import comfy.samplers

        model = model or self.model
        start = noise((1, *self.shape), 1)
        worker = comfy.samplers.KSampler(model, steps=steps, device=model.load_device, sampler="euler", scheduler="simple", denoise=1.0,
                                         model_options=model.model_options)
        return worker.sample(start, positive or self.positive, self.negative, cfg=cfg, latent_image=0 * start, denoise_mask=mask,
                             disable_pbar=True, seed=1)


def flux_scene():
    from comfy_models import conditioning, flux

    return Scene(flux(), (16, 8, 8), conditioning(1), conditioning(2))


def hunyuan_scene():
    return Scene(hunyuan(), (16, FRAMES, 8, 8), text(1), text(2))


def tiny_scene(name, shape=None):
    tiny = TINY[name]
    return Scene(tiny.build(), shape or tiny.shape, *tiny.prompts())


SCENES = {"flux": flux_scene, "hunyuan_video": hunyuan_scene, "wan": lambda: tiny_scene("wan", (16, FRAMES, 8, 8)), "sd3": lambda: tiny_scene("sd3")}


@pytest.fixture(params=SCENES)
def scene(request):
    return SCENES[request.param]()


@pytest.fixture(params=[scene for scene in SCENES if scene in ("hunyuan_video", "wan")])
def video(request):
    return SCENES[request.param]()


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


def apart(a, b):
    return float((a - b).norm() / b.norm())


def check(scene, feb, ab, way, model=None, **how):
    """Nothing reused is what the plain model does, before and after; with reuse the run ends well. Returns the report."""
    model = model or scene.model
    plain = scene.sample(model, **how)
    assert torch.equal(scene.sample(feb(model, **NEVER)[0], **how), plain)
    assert torch.equal(scene.sample(ab(model, interval=1)[0], **how), plain)
    cached, mailbox = feb(model, **way)
    assert scene.sample(cached, **how).isfinite().all()
    assert not any("forward" in module.__dict__ for module in model.model.diffusion_model.modules())
    assert scene.sample(ab(model)[0], **how).isfinite().all()
    assert torch.equal(scene.sample(model, **how), plain)
    assert mailbox.latest.shares["attention"] < 1
    return mailbox.latest


def test_a_prompt_given_twice_is_two_streams_that_end_as_one(scene, feb, ab, way):
    twice = [*scene.positive, *[[context, dict(facts)] for context, facts in scene.positive]]
    assert check(scene, feb, ab, way, positive=twice).demotions == ()
    once, both = (scene.sample(feb(scene.model, **way)[0], positive=positive) for positive in (scene.positive, twice))
    assert apart(both, once) <= 3e-6


def test_areas_have_shapes_of_their_own(scene, feb, ab, way):
    size = scene.shape[1:]
    halves = [[context, {**facts, "area": (*size[:-1], size[-1] // 2, *([0] * (len(size) - 1)), column), "strength": 1.0}]
              for (context, facts), column in ((scene.positive[0], 0), (scene.negative[0], size[-1] // 2))]
    report = check(scene, feb, ab, way, positive=[*halves, *scene.positive])
    assert report.restarts == 0


def test_a_prompt_for_part_of_the_steps_comes_and_goes(scene, feb, ab, way):
    early, late = ([[context, {**facts, "start_percent": start, "end_percent": end}] for context, facts in prompt]
                   for prompt, start, end in ((scene.positive, 0.0, 0.5), (scene.negative, 0.5, 1.0)))
    check(scene, feb, ab, way, positive=[*early, *late])


@pytest.mark.parametrize("schedule", ["standard_static", "standard_uniform"])
def test_context_windows_are_streams_of_their_own(video, feb, ab, way, schedule):
    from comfy import context_windows

    def windowed(model):
        clone = model.clone()
        clone.model_options["context_handler"] = context_windows.IndexListContextHandler(
            context_windows.get_matching_context_schedule(schedule), context_windows.get_matching_fuse_method("pyramid"), context_length=4,
            context_overlap=2, context_stride=1, closed_loop=False, dim=2)
        context_windows.create_prepare_sampling_wrapper(clone)
        return clone

    report = check(video, feb, ab, way, windowed(video.model))
    assert report.restarts == 0


def test_a_mask_on_the_latent_keeps_what_it_covers(scene, feb, ab, way):
    mask = torch.zeros(1, 1, *scene.shape[1:])
    mask[..., : scene.shape[-1] // 2] = 1
    check(scene, feb, ab, way, mask=mask)


@pytest.mark.parametrize("name", ["flux", "sd3", "wan"])
def test_guidance_by_skipped_layers_calls_the_model_once_more(name, feb, ab, way):
    from comfy_extras.nodes_slg import SkipLayerGuidanceDiT

    scene = SCENES[name]()
    guided = SkipLayerGuidanceDiT.execute(scene.model, 2.0, 0.0, 1.0, double_layers="1", single_layers="")[0]
    report = check(scene, feb, ab, way, guided)
    assert report.restarts == 0
    assert apart(scene.sample(feb(guided, **way)[0]), scene.sample(feb(scene.model, **way)[0])) > 1e-4


class Control:
    """What a ControlNet is to the sampler: residuals for every block, from the step at `start` on, that change with time."""

    def __init__(self, tokens, width, start):
        self.residual, self.start, self.first = noise((1, tokens, width), 3), start, None
        self.extra_hooks = self.previous_controlnet = None

    def get_control(self, x, t, cond, batched_number, transformer_options):
        self.first = self.first or float(t.max())
        if float(t.max()) > self.start * self.first:
            return None
        residual = self.residual.expand(x.shape[0], -1, -1) * float(t.max()) / self.first
        return {"input": [residual] * 2, "output": [residual] * 3}

    def get_models(self):
        return []

    def inference_memory_requirements(self, dtype):
        return 0

    def get_extra_hooks(self):
        return []

    def pre_run(self, model, percent_to_timestep):
        self.first = None

    def cleanup(self):
        pass


@pytest.mark.parametrize("start", [1.0, 0.6])
@pytest.mark.parametrize("name", ["flux", "hunyuan_video", "sd3"])
def test_control_residuals_are_added_once_at_every_step(name, start, feb, ab, way):
    """With blocks that add nothing, all that happens in the lists is the control: a cached run must equal the plain one."""
    scene = SCENES[name]()
    model = scene.model.model.diffusion_model
    tokens = torch.Size(scene.shape[1:]).numel() // 4
    controlled = [[context, {**facts, "control": Control(tokens, 128, start), "control_apply_to_uncond": True}] for context, facts in scene.positive]
    check(scene, feb, ab, way, positive=controlled)
    with torch.no_grad():
        for part, p in model.named_parameters():
            if part.endswith((".lin.weight", ".lin.bias")) or "block.adaLN_modulation.1" in part:
                p.zero_()
    plain = scene.sample(positive=controlled)
    assert apart(scene.sample(), plain) > 1e-3  # the control does something
    assert apart(scene.sample(feb(scene.model, **way)[0], positive=controlled), plain) <= 3e-6
