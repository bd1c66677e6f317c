"""AB-Cache learns: the first picture in full, then a plan, and all that follow by it."""

import pytest
import torch
from comfy_models import flux
from comfy_models import ksample as sample
from test_weights import with_lora

from cache_core import evenly
from lab.condition import UNCONDITIONAL, condition
from lab.families import FLUX
from lab.in_comfyui import comfyui_model

pytestmark = pytest.mark.usefixtures("plans")
STEPS = 24


def apart(a, b):
    return float((a - b).norm() / b.norm())


def prompt(label):
    context, vector = condition(torch.tensor([label]))
    return [[context, {"pooled_output": vector}]]


@torch.inference_mode()  # as ComfyUI runs its nodes; uni_pc would build a graph
def ksample(model, label=1, **how):
    """A trained model: what is claimed of plans is claimed of those."""
    return sample(model, **{"size": 16, "positive": prompt(label), "negative": prompt(UNCONDITIONAL), **how})


@pytest.fixture(scope="module")
def model():
    return comfyui_model(FLUX)


@pytest.fixture
def learning(ab):
    return lambda model, preset="auto", **widgets: ab(model, preset, learn=True, **widgets)


def evaluations(model, **how):
    """Samples, and how often the diffusion model ran."""
    count = {"n": 0}
    handle = model.model.diffusion_model.register_forward_hook(lambda *_: count.update(n=count["n"] + 1))
    try:
        return ksample(model, steps=STEPS, **how), count["n"]
    finally:
        handle.remove()


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_the_first_picture_is_the_uncached_one_and_the_next_is_fast_and_near(model, learning, plans, cfg):
    plain = ksample(model, steps=STEPS, cfg=cfg)
    cached, mailbox = learning(model)
    first, count = evaluations(cached, cfg=cfg)
    assert torch.equal(first, plain)
    assert count == STEPS + 2 * (STEPS // 3)  # one to fit, one by the plan that needs no picture
    assert len(list(plans.iterdir())) == 1
    assert any("a plan was learned" in note for note in mailbox.latest.notes)
    second, count = evaluations(cached, cfg=cfg)
    assert count == STEPS // 3
    assert torch.equal(ksample(cached, steps=STEPS, cfg=cfg), second)
    assert f"is off by {apart(second, plain):.4f}" in " ".join(
        mailbox.reports[0].notes
    )  # it is the very run that was fitted
    assert mailbox.latest.computed == count


def test_the_plan_holds_for_other_seeds_and_prompts_and_is_made_once(model, learning, ab, plans):
    cached = learning(model)[0]
    evaluations(cached)
    for seed in (5, 6):
        how = {"seed": seed, "label": seed}
        plain = ksample(model, steps=STEPS, **how)
        learned, count = evaluations(cached, **how)
        assert count == STEPS // 3
        uniform = ksample(ab(model, "custom", interval=3, warmup_steps=1)[0], steps=STEPS, **how)
        assert apart(learned, plain) < apart(uniform, plain)
    assert len(list(plans.iterdir())) == 1


@pytest.mark.parametrize(
    ("change", "again"), [({}, False), ({"cfg": 2.0}, True), ({"sampler": "dpmpp_2m"}, True), ({"size": 32}, True)]
)
def test_another_sampler_or_size_is_learned_anew(model, learning, change, again):
    cached, mailbox = learning(model)
    evaluations(cached)
    evaluations(cached, **change)
    assert (mailbox.latest.computed == STEPS) is again


def test_other_weights_are_learned_anew_and_the_first_ones_are_remembered(model, learning, plans):
    evaluations(learning(model)[0])
    patched, mailbox = learning(with_lora(model))
    assert evaluations(patched)[1] > STEPS
    count = evaluations(patched)[1]
    assert count < STEPS / 2
    assert (
        evaluations(learning(with_lora(model))[0])[1] == count
    )  # the same LoRA, loaded again, whether or not it is in the weights
    assert evaluations(learning(model)[0])[1] == STEPS // 3
    assert len(list(plans.iterdir())) == 2


@pytest.mark.parametrize(("preset", "share"), [("quality", 2), ("balanced", 3), ("fast", 4)])
def test_a_preset_is_a_budget_and_its_plan_is_better_than_even_steps(model, learning, ab, preset, share):
    even = ",".join(map(str, evenly(48, 48 // share)))
    plain, widgets = ksample(model, steps=48), ksample(ab(model, "custom", computed_steps=even)[0], steps=48)
    cached, mailbox = learning(model, preset)
    ksample(cached, steps=48)
    learned = ksample(cached, steps=48)
    assert mailbox.latest.computed == 48 // share
    assert apart(learned, plain) < apart(widgets, plain)


def test_a_prompt_that_an_older_pack_saved_with_a_guard_runs_as_one_without(model, learning):
    cached, mailbox = learning(model, guard=True)
    evaluations(cached)
    assert evaluations(cached, seed=9)[1] == STEPS // 3
    assert not any("guard" in note for note in mailbox.latest.notes)


def test_nothing_is_learned_when_it_is_off_or_a_widget_was_moved(model, ab, plans):
    off, moved = {"preset": "auto", "learn": False}, {"preset": "auto", "learn": True, "interval": 4}
    for widgets in (off, moved, {"preset": "paper", "learn": True}):
        evaluations(ab(model, **widgets)[0])
    evaluations(ab(model, "auto", learn=True)[0], sampler="euler_ancestral")
    assert list(plans.iterdir()) == []


def test_a_failure_while_fitting_keeps_the_picture_and_says_why(model, learning, plans, pack, monkeypatch):
    fitting = __import__(f"{pack.__name__}.cache_core.calibrate.fit", fromlist=["Tracker"])
    monkeypatch.setattr(fitting.Tracker, "end", lambda *_: 1 / 0)
    plain = ksample(model, steps=STEPS)
    cached, mailbox = learning(model)
    assert torch.equal(ksample(cached, steps=STEPS), plain)
    assert any("division by zero" in note for note in mailbox.latest.notes)
    assert list(plans.iterdir()) == []
    assert evaluations(cached)[1] < STEPS  # not tried at every picture
    assert torch.equal(ksample(model, steps=STEPS), plain)


def test_a_cancel_while_fitting_cancels(model, learning, plans, pack, monkeypatch):
    from comfy.model_management import InterruptProcessingException

    def cancel(*_):
        raise InterruptProcessingException

    fitting = __import__(f"{pack.__name__}.cache_core.calibrate.fit", fromlist=["Tracker"])
    plain = ksample(model, steps=STEPS)
    cached = learning(model)[0]
    with monkeypatch.context() as patch:
        patch.setattr(fitting.Tracker, "end", cancel)
        with pytest.raises(InterruptProcessingException):
            ksample(cached, steps=STEPS)
    assert list(plans.iterdir()) == []
    assert torch.equal(ksample(cached, steps=STEPS), plain)


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m", "uni_pc", "deis", "ipndm", "res_multistep", "lms", "ddim"])
def test_other_samplers_learn_plans_that_are_no_worse_than_even_steps(model, learning, ab, sampler):
    plain = ksample(model, steps=STEPS, sampler=sampler)
    cached, mailbox = learning(model)
    assert torch.equal(ksample(cached, steps=STEPS, sampler=sampler), plain)
    learned = ksample(cached, steps=STEPS, sampler=sampler)
    even = ksample(ab(model, "custom", interval=3, warmup_steps=1)[0], steps=STEPS, sampler=sampler)
    assert apart(learned, plain) < apart(even, plain)


@pytest.mark.parametrize("sampler", ["dpm_2", "dpm_fast", "dpm_adaptive"])
def test_a_sampler_that_looks_between_the_steps_learns_nothing_and_says_so_once(model, learning, plans, sampler):
    cached, mailbox = learning(model)
    plain = ksample(model, steps=STEPS, sampler=sampler)
    assert torch.equal(ksample(cached, steps=STEPS, sampler=sampler), plain)
    assert any("no plan was learned" in note for note in mailbox.latest.notes)
    ksample(cached, steps=STEPS, sampler=sampler)
    assert mailbox.latest.shares["model"] < 1
    assert any("no plan is learned for this sampling" in note for note in mailbox.latest.notes)
    (name,) = (path.name for path in plans.iterdir())
    assert name.startswith("unlearnable_")  # on the disk, so that it is not tried again after a restart


def test_a_plan_is_saved_loaded_applied_and_refused_for_another_model(pack, model, learning, ab, plans):
    nodes = pack.NODE_CLASS_MAPPINGS
    cached = learning(model)[0]
    evaluations(cached)
    name, *others = nodes["CachePlanLoad"].INPUT_TYPES()["required"]["plan_name"][0]
    assert all(other.startswith("bundled/") for other in others)
    (plan,) = nodes["CachePlanLoad"]().load(name)
    assert "weights" in nodes["CachePlanInfo"]().read(plan)["result"][0]
    nodes["CachePlanSave"]().save(plan, "mine")
    (again,) = nodes["CachePlanLoad"]().load("mine.safetensors")
    assert again == plan
    assert torch.equal(ksample(ab(model, plan=plan)[0], steps=STEPS), ksample(cached, steps=STEPS))
    moved, mailbox = ab(model, plan=plan)
    assert ksample(moved, steps=16).isfinite().all()
    assert mailbox.latest.computed == round(16 / 3)
    assert any("moved over sigma" in note for note in mailbox.latest.notes)
    with pytest.raises(ValueError, match="weights"):
        ab(flux(), plan=plan)
    for bad in ("../mine.safetensors", "", "gone.safetensors"):
        with pytest.raises(ValueError, match="plan"):
            nodes["CachePlanLoad"]().load(bad)


def test_beside_feb_cache_the_first_picture_is_uncached_and_the_next_skips_at_both_sites(model, learning, feb):
    plain = ksample(model, steps=STEPS)
    cached, mailbox = learning(feb(model, attention_interval=2, mlp_interval=2, fragile_interval=2, warmup_steps=2)[0])
    assert torch.equal(ksample(cached, steps=STEPS), plain)
    assert ksample(cached, steps=STEPS).isfinite().all()
    shares = mailbox.latest.shares
    assert shares["attention"] < shares["model"] < 0.4
    assert torch.equal(ksample(model, steps=STEPS), plain)


def test_a_batch_and_part_of_a_sampling_learn_plans_too(model, learning):
    for how in (
        {"batch": 3},
        {"denoise": 0.7, "latent": torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(3))},
    ):
        plain = ksample(model, steps=STEPS, **how)
        cached, mailbox = learning(model)
        assert torch.equal(ksample(cached, steps=STEPS, **how), plain) or mailbox.latest.computed < STEPS
        near = ksample(cached, steps=STEPS, **how)
        assert mailbox.latest.computed < STEPS / 2
        assert apart(near, plain) < 0.1


def test_after_a_lesson_nothing_is_left_on_the_model_or_the_clone(model, learning):
    cached, _ = learning(model)
    before = {name: id(value) for name, value in vars(model.model.diffusion_model).items()}
    ksample(cached, steps=STEPS)
    assert {name: id(value) for name, value in vars(model.model.diffusion_model).items()} == before
    attachment = next(iter(cached.get_wrappers("outer_sample", "feb_ab_cache"))).__self__
    assert not attachment.sessions.open
