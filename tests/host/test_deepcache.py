"""DeepCache, and other methods on U-Nets, in a real ComfyUI: tiny models of Stable Diffusion 1.5 and SDXL."""

import pytest
import torch
from comfy_models import UNET, comfy_model_from, conditioning, flux, ksample, unet
from control import Control
from test_conditioning import with_facts

from cache_core import MODULES, Kind, Plan, Run, Steps, Timeline
from cache_core.hosts import merging
from cache_core.mount import Mounts, footprint
from cache_core.run.engine import pass_through
from cache_core.schedule import from_steps
from cache_core.site import Range

STEPS = 12
XL = UNET | {
    "model_channels": 64,
    "num_classes": "sequential",
    "adm_in_channels": 2816,
    "use_linear_in_transformer": True,
}
MODELS = {"SD15": unet, "SDXL": lambda: comfy_model_from("SDXL", XL)}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]()


@pytest.fixture
def method(pack):
    def apply(model, name="DeepCache", **widgets):
        return pack.NODE_CLASS_MAPPINGS["CacheMethod"]().apply(model, name, **widgets)

    return apply


def prompts(**facts):
    made = {"positive": conditioning(1, vector=1280), "negative": conditioning(2, vector=1280)}
    return {name: with_facts(own, **facts) if facts else own for name, own in made.items()}


def sampled(model, **how):
    return ksample(model, **{"steps": STEPS, "channels": 4, "cfg": 3.0, **prompts(), **how})


def test_an_interval_of_one_and_no_strength_are_bit_identical(model, method):
    plain = sampled(model)
    for widgets in ({"threshold": 1.0}, {"strength": 0.0}):
        assert torch.equal(sampled(method(model, **widgets)[0]), plain)


def test_a_list_of_steps_has_nothing_to_learn(model, method):
    released, learned = (method(model, curves=curves)[0] for curves in ("as released", "learned on this model"))
    assert torch.equal(sampled(learned), sampled(released))


@pytest.mark.parametrize("how", [{}, {"batch": 3}, {"cfg": 1.0}, {"sampler": "dpmpp_2m"}, {"size": 12}], ids=str)
def test_reuse_saves_repeats_and_leaves_the_model_as_it_was(model, method, how):
    plain = sampled(model, **how)
    cached, mailbox = method(model, threshold=3.0)
    first, second = sampled(cached, **how), sampled(cached, **how)
    assert not torch.equal(first, plain)
    assert torch.equal(first, second)
    assert not mailbox.latest.demotions
    predicted = [row.step for row in mailbox.latest.rows if row.state != "compute"]
    assert predicted == [step for step in range(STEPS) if step % 3]
    assert torch.equal(sampled(model, **how), plain)


def test_a_skipped_step_runs_the_first_block_and_the_last(model, method):
    """The layers that work at a step: those with weights of their own are asked."""
    names, worked = {}, []
    module = model.model.diffusion_model
    for name, layer in module.named_modules():
        if not list(layer.children()) and ("blocks" in name or "middle" in name):
            names[layer] = name
    handles = [layer.register_forward_hook(lambda m, *_: worked.append(names[m])) for layer in names]
    counts = []
    try:
        cached, _ = method(model, threshold=3.0)

        def at_end(*_):
            counts.append({".".join(name.split(".")[:2]) for name in worked})
            worked.clear()

        sampled(cached, callback=at_end)
    finally:
        for handle in handles:
            handle.remove()
    every = {".".join(name.split(".")[:2]) for name in names.values()}
    last = f"output_blocks.{len(module.output_blocks) - 1}"
    assert [blocks == every for blocks in counts] == [step % 3 == 0 for step in range(STEPS)]
    assert all(blocks == {"input_blocks.0", last} for step, blocks in enumerate(counts) if step % 3)


class Residuals(Control):
    """A ControlNet for the blocks of a U-Net, as the sampler sees one; `deep`: its residuals for all but the first
    block down and the last one up."""

    def __init__(self, model, deep=1.0):
        self.shapes, self.deep = shapes_of(model), deep
        self.extra_hooks = self.previous_controlnet = None
        self.multigpu_clones = {}

    def get_control(self, x, t, cond, batched_number, transformer_options):
        chance = torch.Generator().manual_seed(7)
        made = {
            name: [torch.randn(shape, generator=chance).expand(len(x), -1, -1, -1) / 8 for shape in shapes]
            for name, shapes in self.shapes.items()
        }
        for name, one in (("input", -1), ("output", 0), ("middle", None)):  # the model takes the last one first
            shallow = one % len(made[name]) if one is not None else -1
            made[name] = [r if i == shallow else r * self.deep for i, r in enumerate(made[name])]
        return made


def shapes_of(model):
    """Shapes of the outputs of the blocks down and of the middle, in the order in which the model takes residuals."""
    module, down, middle = model.model.diffusion_model, [], []
    handles = [
        block[-1].register_forward_hook(lambda m, a, out, own=own: own.append((1, *out.shape[1:])))
        for own, blocks in ((down, module.input_blocks), (middle, [module.middle_block]))
        for block in blocks
    ]
    sampled(model, steps=1, cfg=1.0)
    for handle in handles:
        handle.remove()
    count = len(module.input_blocks)
    return {"input": down[:count][::-1], "middle": middle[:1], "output": down[:count]}


def controlled(model, control, cached):
    facts = {"control": control, "control_apply_to_uncond": True}
    return sampled(cached, **prompts(**facts))


def test_controlnet_is_applied_where_its_blocks_run(model, method, caplog):
    control = Residuals(model)
    plain = controlled(model, control, model)
    assert torch.equal(controlled(model, control, method(model, threshold=1.0)[0]), plain)
    cached, mailbox = method(model, threshold=3.0)
    reused = controlled(model, control, cached)
    assert not torch.equal(reused, plain)
    assert not torch.equal(reused, sampled(cached))
    assert not torch.equal(reused, controlled(model, Residuals(model, deep=0.0), cached))
    assert not mailbox.latest.demotions
    assert "could not be applied" not in caplog.text
    assert torch.equal(controlled(model, control, model), plain)


def test_the_foreseen_bytes_are_those_that_are_kept(model, method):
    cached, mailbox = method(model, threshold=3.0)
    for batch, size in ((1, 8), (2, 16)):
        sampled(cached, batch=batch, size=size)
        module = model.model.diffusion_model
        foreseen = footprint(module, merging(module), from_steps(MODULES, {0}, STEPS), 2 * batch * size * size, 0, 4)
        assert mailbox.latest.peak_bytes == foreseen.merged == 4 * 2 * batch * module.model_channels * size * size


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_at_any_depth_the_same_input_gives_the_same_output(model, depth):
    """The deep part's own output in its place: bit-identical, whatever its depth."""
    module = model.model.diffusion_model
    plan = Plan(Steps(MODULES, (0,)), merge=True, ranges=(Range("input_blocks", depth, 99),))
    run = Run((plan,), Timeline.even(10))
    mounts = Mounts(module, merging(module), run)
    x, context = torch.randn(1, 4, 8, 8), torch.randn(1, 8, 64)
    y = torch.randn(1, 2816) if module.num_classes else None
    with torch.inference_mode():
        plain = module(x, torch.tensor([500.0]), context, y)
        for sigma in run.timeline.sigmas[:2]:
            run.begin(sigma)
            made = pass_through(run, ("c",), x.shape, lambda: module(x, torch.tensor([500.0]), context, y), mounts)
            assert torch.equal(made, plain)
    assert run.evaluation.predicted_calls[Kind.BLOCKS] == 1


def applied(method, model, name):
    """The cached model and its mailbox; None where the method says that this model cannot have it."""
    try:
        return method(model, name, curves="learned on this model")
    except ValueError:
        return None


def test_every_method_works_inside_a_u_net_or_is_refused(model, method, pack, plans):
    plain, refused = sampled(model, steps=16), set()
    for name in pack.NODE_CLASS_MAPPINGS["CacheMethod"].INPUT_TYPES()["required"]["method"][0]:
        made = applied(method, model, name)
        if made is None:
            refused.add(name)
            continue
        sampled(made[0], steps=16)  # the first method's is recorded, and all go by it
        assert not torch.equal(sampled(made[0], steps=16), plain), name
        assert not made[1].latest.demotions, name
    assert torch.equal(sampled(model, steps=16), plain)
    assert refused == {"SeaCache", "FasterCache attention"}


def test_feb_cache_refuses_as_ever_and_ab_cache_works_on_the_output(model, feb, ab):
    with pytest.raises(TypeError, match="no attention and MLP that FEB-Cache knows how to separate"):
        feb(model)
    cached, mailbox = ab(model, interval=3)
    sampled(cached)
    assert list(mailbox.latest.shares) == ["model"]


def test_a_transformer_is_refused_and_told_what_works(method):
    with pytest.raises(ValueError, match="AB-Cache Apply"):
        method(flux())
