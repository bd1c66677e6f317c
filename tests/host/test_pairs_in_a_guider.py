# ruff: noqa: F811 (fixtures come by import)
"""Two models that one guider calls at each step, as ComfyUI's DualModelGuider does: the positive conditioning goes to
one, the negative to the other."""

from collections import Counter

import pytest
import torch
from comfy_models import MIXED, NEVER
from test_learning import apart, prompt  # noqa: F401 (fixtures)
from test_pairs import AB, STEPS, read, second_of, trained  # noqa: F401 (fixtures)
from tiny import TINY, latent

from lab.condition import UNCONDITIONAL
from lab.families import FLUX
from lab.in_comfyui import comfyui_model

pytestmark = pytest.mark.usefixtures("plans")


@pytest.fixture
def guided():
    """A function that samples with a guider of two models."""
    nodes = pytest.importorskip("comfy_extras.nodes_custom_sampler")
    if not hasattr(nodes, "Guider_DualModel"):
        pytest.skip("this ComfyUI has no DualModelGuider")

    @torch.inference_mode()
    def sample(first, second, start, positive, negative, cfg=3.0, seed=1, steps=STEPS):
        import comfy.samplers

        guider = nodes.Guider_DualModel(first, second)
        guider.set_conds(positive, negative)
        guider.set_cfg(cfg)
        sampling = first.get_model_object("model_sampling")
        sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", steps)
        sampler = comfy.samplers.sampler_object("euler")
        return guider.sample(start, torch.zeros_like(start), sampler, sigmas, disable_pbar=True, seed=seed)

    return sample


def with_wan(guided):
    """The same of tiny Wan models."""
    tiny = TINY["wan"]
    return lambda first, second, **how: guided(first, second, latent(tiny), *tiny.prompts(), **how)


def calls_of(*models):
    """A count of the calls of these models by number, while they sample."""
    made: Counter[int] = Counter()
    for number, model in enumerate(models):
        model.model.diffusion_model.register_forward_hook(lambda *_, number=number: made.update([number]))
    return made


@pytest.fixture
def wan():
    return TINY["wan"].build(), second_of(TINY["wan"].build)


@pytest.mark.parametrize("nothing", ["ab", "feb"])
def test_with_nothing_predicted_a_guider_of_two_cached_models_is_exact(wan, guided, ab, feb, nothing):
    sample = with_wan(guided)
    plain = sample(*wan)
    assert not torch.equal(plain, sample(wan[0], wan[0]))
    node, widgets = {"ab": (ab, {"interval": 1}), "feb": (feb, NEVER)}[nothing]
    first, _, second = node(wan[0], **widgets, model_2=wan[1])
    assert torch.equal(sample(first, second), plain)


def test_ab_cache_predicts_each_model_of_a_guider_from_its_own_outputs(wan, guided, ab):
    sample, found = with_wan(guided), []
    for after_guidance in (False, True):
        made = calls_of(*wan)
        first, mailbox, second = ab(wan[0], **AB, after_guidance=after_guidance, model_2=wan[1])
        found.append(sample(first, second))
        assert made == {0: mailbox.latest.computed, 1: mailbox.latest.computed}
        assert mailbox.latest.computed < STEPS / 2
        assert len(mailbox.reports) == 1
        assert mailbox.latest.demotions == ()
    # guidance is linear, so predicting each output or both together is the same, unless outputs are mixed up
    assert apart(*found) < 1e-4
    assert apart(found[0], sample(*wan)) > 1e-3


def test_feb_cache_predicts_inside_each_model_of_a_guider(wan, guided, feb):
    sample = with_wan(guided)
    plain = sample(*wan)
    first, mailbox, second = feb(wan[0], **MIXED, stage_boundary=0.8, model_2=wan[1])
    assert 0 < apart(sample(first, second), plain) < 0.3
    assert mailbox.latest.demotions == ()
    assert {row.state for row in mailbox.latest.rows} == {"compute", "reuse attention", "reuse mlp", "reuse both"}
    assert not any("forward" in part.__dict__ for model in wan for part in model.model.diffusion_model.modules())


def test_a_model_that_takes_over_in_a_sampling_does_not_go_on_from_the_others_outputs(wan, guided, ab):
    """A guider of another pack might change its model, and ask it for the same conditionings."""
    import comfy.samplers

    nodes = __import__("comfy_extras.nodes_custom_sampler", fromlist=["Guider_DualModel"])
    first, _, second = ab(wan[0], **AB, model_2=wan[1])
    sigmas = comfy.samplers.calculate_sigmas(first.get_model_object("model_sampling"), "simple", STEPS)
    change = next(step for step in range(8, STEPS) if not computed_at(step))

    class InTurn(nodes.Guider_DualModel):
        def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006 (ComfyUI's own signature)
            model = self.uncond_inner if float(timestep.max()) <= sigmas[change] else self.inner_model
            return comfy.samplers.calc_cond_batch(model, [self.conds["positive"]], x, timestep, model_options)[0]

    guider, tiny, asked = InTurn(first, second), TINY["wan"], []
    guider.set_conds(*tiny.prompts())
    guider.set_cfg(3.0)
    wan[1].model.diffusion_model.register_forward_pre_hook(lambda _, given: asked.append(float(given[1].max())))
    start, sampler = latent(tiny), comfy.samplers.sampler_object("euler")
    guider.sample(start, torch.zeros_like(start), sampler, sigmas, disable_pbar=True, seed=1)
    timestep = first.get_model_object("model_sampling").timestep
    assert asked[0] == pytest.approx(float(timestep(sigmas[change])))


def computed_at(step: int) -> bool:
    """True if a node with the widgets AB computes this step, whatever model is called."""
    return step < AB["warmup_steps"] or (step - AB["warmup_steps"] + 1) % AB["interval"] == 0


def test_a_guider_of_two_models_learns_one_plan_for_both(trained, guided, ab, plans):
    def sample(first, second, seed=1):
        start = torch.randn((1, 16, 16, 16), generator=torch.Generator().manual_seed(seed))
        return guided(first, second, start, prompt(1), prompt(UNCONDITIONAL), seed=seed)

    plain, other = sample(*trained), sample(*trained, 7)
    first, mailbox, second = ab(trained[0], "auto", learn=True, model_2=trained[1])
    assert torch.equal(sample(first, second), plain)
    assert any("a plan was learned" in note for note in mailbox.latest.notes)
    assert apart(sample(first, second, 7), other) < 0.1
    assert mailbox.latest.computed < STEPS
    # with another second model the plan would be one of other outputs
    first, mailbox, second = ab(trained[0], "auto", learn=True, model_2=second_of(lambda: comfyui_model(FLUX)))
    sample(first, second)
    assert mailbox.latest.computed == STEPS


def test_a_cache_on_the_first_model_alone_counts_for_both_and_says_so(wan, guided, ab):
    made = calls_of(*wan)
    first, mailbox = ab(wan[0], **AB)
    with_wan(guided)(first, wan[1])
    assert made == {0: mailbox.latest.computed, 1: mailbox.latest.computed}
    assert any("the guider runs a second model (WanModel)" in note for note in mailbox.latest.notes)


def test_of_two_apply_nodes_the_first_models_counts_and_both_report_it(pack, wan, guided, ab):
    first, mailbox = ab(wan[0], **AB)
    second, other = ab(wan[1], interval=1)
    with_wan(guided)(first, second)
    assert other.reports == mailbox.reports
    assert any("its own cache node is not asked" in note for note in other.latest.notes)


def test_a_cache_on_the_second_model_alone_is_not_asked_and_cache_report_says_what_to_do(pack, wan, guided, ab):
    plain = with_wan(guided)(*wan)
    second, mailbox = ab(wan[1], **AB)
    assert torch.equal(with_wan(guided)(wan[0], second), plain)
    assert "Of two models in one guider, the first one's node counts" in read(pack, mailbox)


def test_a_second_model_that_has_no_blocks_to_cache_is_computed_and_named(wan, guided, feb):
    second = second_of(TINY["wan"].build)
    second.model.diffusion_model.blocks = torch.nn.ModuleList()
    first, mailbox = feb(wan[0], **MIXED)
    with_wan(guided)(first, second)
    assert any("the guider's second model is computed" in text for text in mailbox.latest.demotions)
    assert mailbox.latest.shares["attention"] < 1


def test_at_guidance_1_the_second_model_of_a_guider_is_not_run(wan, guided, ab):
    made = calls_of(*wan)
    first, mailbox, second = ab(wan[0], **AB, model_2=wan[1])
    with_wan(guided)(first, second, cfg=1.0)
    assert made == {0: mailbox.latest.computed}
    assert not any("second model" in note for note in mailbox.latest.notes)
