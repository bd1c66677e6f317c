"""Parts of schedules, odd schedules, and everything a queue does with one model."""

import torch
from scenarios.row import ONE_EACH, Row
from scenarios.scene import STEPS, Scene
from tiny import noise

WHOLE = 14  # steps of a schedule of which 9 are sampled


def sigmas_of(scene: Scene, steps: int) -> torch.Tensor:
    import comfy.samplers

    return comfy.samplers.calculate_sigmas(scene.model.get_model_object("model_sampling"), "simple", steps)


def guider(scene: Scene, model):
    import comfy.samplers

    made = comfy.samplers.CFGGuider(model)
    made.set_conds(scene.positive, scene.negative)
    made.set_cfg(2.0)
    return made


def euler(scene: Scene, node):
    return [scene.sample(node(scene.model))]


def denoised(scene: Scene, node):
    return [scene.sample(node(scene.model), denoise=0.6, latent=noise((1, *scene.shape), 5))]


def late(scene: Scene, node):
    return [scene.sample(node(scene.model), steps=WHOLE, first=WHOLE - STEPS, latent=noise((1, *scene.shape), 5))]


def leftover(scene: Scene, node):
    """The first sampler leaves its noise, the second one takes it up."""
    model = node(scene.model)
    half = scene.sample(model, steps=2 * STEPS, last=STEPS, leftover=True)
    return [half, scene.sample(model, steps=2 * STEPS, first=STEPS, adds_noise=False, latent=half)]


def stops_above_zero(scene: Scene, node):
    sigmas = sigmas_of(scene, WHOLE)[: STEPS + 1]
    return [scene.guided(guider(scene, node(scene.model)), sigmas=sigmas)]


def same_sigma_twice(scene: Scene, node):
    sigmas = sigmas_of(scene, STEPS)
    return [scene.guided(guider(scene, node(scene.model)), sigmas=torch.cat((sigmas[:4], sigmas[3:-2], sigmas[-1:])))]


def few_steps(scene: Scene, node):
    return [scene.sample(node(scene.model), steps=4)]


def no_steps(scene: Scene, node):
    return [scene.guided(guider(scene, node(scene.model)), sigmas=sigmas_of(scene, STEPS)[4:5])]


def upscaled(scene: Scene, node):
    """Two samplers in one graph: the second pass is at another size, from the first one's latent."""
    model = node(scene.model)
    first = scene.sample(model)
    larger = torch.nn.functional.interpolate(first, scale_factor=(1,) * (len(scene.shape) - 3) + (2, 2))
    return [first, scene.sample(model, shape=tuple(larger.shape[1:]), latent=larger, denoise=0.6)]


def queued_again(scene: Scene, node):
    model = node(scene.model)
    first, second = scene.sample(model), scene.sample(model)
    assert torch.equal(first, second)
    return [first, second]


def changed(**change):
    """A run, one with `change`, and the first one again, which nothing may have touched."""

    def play(scene: Scene, node):
        model = node(scene.model)
        how = {name: value(scene) if callable(value) else value for name, value in change.items()}
        first, other, again = scene.sample(model), scene.sample(model, **how), scene.sample(model)
        assert torch.equal(first, again)
        return [first, other]

    return play


def cached_guider(scene: Scene, node):
    """A GUIDER output that ComfyUI kept, fed to two samplers: its conditionings keep their uuids."""
    made = guider(scene, node(scene.model))
    first, other, again = scene.guided(made), scene.guided(made, seed=2), scene.guided(made)
    assert torch.equal(first, again)
    return [first, other]


def nested(scene: Scene, node):
    """A sampling inside another one, on the same model. ComfyUI then forgets whose run it was in, so the caller has
    to say so again."""
    model, base, inner = node(scene.model), scene.model.model, []

    def callback(step, *_):
        if step == 3:
            outer = base.current_patcher
            inner.append(scene.sample(model, seed=2))
            base.current_patcher = outer

    return [scene.sample(model, callback=callback), *inner]


def cloned(scene: Scene, node):
    """Another node behind ours clones the model, model options and all."""
    model = node(scene.model).clone()
    model.model_options["transformer_options"]["other"] = {"tensor": torch.ones(1)}
    return [scene.sample(model.clone())]


def larger(scene: Scene) -> tuple[int, ...]:
    return (*scene.shape[:-1], 2 * scene.shape[-1])


TWICE, THRICE = (ONE_EACH,) * 2, (ONE_EACH,) * 3
NESTED = (ONE_EACH, ONE_EACH)
ROWS = (
    Row("KSampler", "HOOKS 0", "euler, 9 steps, guidance 2", euler),
    Row("denoise below 1", "PEERS 2.4", "9 steps of denoise 0.6 from a latent", denoised, ways=1),
    Row("start step", "PEERS 2.4", "the last 9 of 14 steps", late, ways=1),
    Row(
        "end step and leftover noise",
        "PEERS 2.4",
        "the first 9 of 18 steps, then the others without new noise",
        leftover,
        clocks=TWICE,
        ways=1,
    ),
    Row(
        "sigmas that stop above 0",
        "HOOKS 5",
        "SamplerCustomAdvanced with the first 9 of 14 steps",
        stops_above_zero,
        ways=1,
    ),
    Row(
        "a sigma twice",
        "PEERS 2.7",
        "a schedule that stays at one sigma for a step",
        same_sigma_twice,
        clocks=((0, 1, 2, 4, 4, 5, 6, 7, 8),),
        exact=False,
        ways=1,
    ),
    Row(
        "few steps", "PEERS 4.7", "4 steps: nothing to predict", few_steps, clocks=((0, 1, 2, 3),), reuses=False, ways=1
    ),
    Row("no steps", "PEERS 2.7", "a schedule of one sigma", no_steps, clocks=(), reuses=False, ways=1),
    Row(
        "two samplers in a graph",
        "PEERS 2.13",
        "a second pass at twice the size from the first one's latent",
        upscaled,
        clocks=TWICE,
        ways=1,
    ),
    Row(
        "queued again", "PEERS 2.13", "the same prompt twice gives the same picture", queued_again, clocks=TWICE, ways=1
    ),
    Row("batch changes between runs", "PEERS 2.3", "1, then 3, then 1 latents", changed(batch=3), clocks=THRICE),
    Row(
        "resolution changes between runs",
        "PEERS 2.3",
        "one size, twice as wide, the first again",
        changed(shape=larger),
        clocks=THRICE,
    ),
    Row(
        "prompt changes between runs",
        "PEERS 3.F",
        "one prompt, the other one, the first again",
        changed(positive=lambda s: s.negative),
        clocks=THRICE,
        ways=1,
    ),
    Row(
        "guidance 1 and back", "H. conds", "cfg 2, cfg 1 (no negative), cfg 2", changed(cfg=1.0), clocks=THRICE, ways=1
    ),
    Row(
        "steps change between runs",
        "PEERS 2.13",
        "9, 12, 9 steps",
        changed(steps=12),
        clocks=(ONE_EACH, tuple(range(12)), ONE_EACH),
        ways=1,
    ),
    Row(
        "sampler changes between runs",
        "PEERS 2.5",
        "euler, heun, euler",
        changed(sampler="heun"),
        clocks=(ONE_EACH, (0, *(step for s in range(1, STEPS) for step in (s, s))), ONE_EACH),
        ways=1,
    ),
    Row(
        "cached GUIDER, two samplers",
        "HOOKS 5",
        "one CFGGuider sampled with two seeds, then the first again",
        cached_guider,
        clocks=THRICE,
        ways=1,
    ),
    Row("nested samplers", "HOOKS 5", "a whole sampling from within a step of another", nested, clocks=NESTED, ways=1),
    Row("model cloned behind the node", "H7", "twice, with a tensor in its options", cloned, ways=1),
)
