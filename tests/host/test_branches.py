"""Methods that leave the unconditional branch out, in a real ComfyUI: on the lab's FLUX with true guidance."""

import pytest
import torch
from comfy_models import ksample as sample
from comfy_models import unet
from scenarios.prompts import windows
from scenarios.scene import scene
from test_learning import STEPS, apart, prompt
from test_learning import ksample as lab_sample
from test_learning import model as lab_model
from tiny import TINY, sampled

from lab.condition import UNCONDITIONAL

pytestmark = pytest.mark.usefixtures("plans")
lab = lab_model  # a fixture of that module
CFG, SHARE = 3.5, 0.5
BOTH = STEPS - round(SHARE * STEPS)  # steps with both branches


def ksample(model, **how):
    return lab_sample(model, **{"cfg": CFG, "steps": STEPS, **how})


@pytest.fixture
def method(pack):
    node = pack.NODE_CLASS_MAPPINGS["CacheMethod"]()
    return lambda model, name="CFG gate", **widgets: node.apply(model, name, **widgets)


@pytest.fixture
def gate(method):
    return lambda model: method(model, threshold=SHARE)


def rows(model, sampled):
    """Samples, and the rows of all calls of the diffusion model for them."""
    counted = []
    handle = model.model.diffusion_model.register_forward_hook(lambda _, given, out: counted.append(len(out)))
    try:
        return sampled(model), sum(counted)
    finally:
        handle.remove()


def test_nothing_left_out_is_bit_identical(lab, method):
    plain = ksample(lab)
    for name in ("CFG gate", "FasterCache CFG"):
        assert torch.equal(ksample(method(lab, name, strength=0.0)[0]), plain), name


def test_the_rows_of_the_second_branch_leave_the_model_calls(lab, gate):
    plain, all_rows = rows(lab, ksample)
    cached, mailbox = gate(lab)
    first, fewer = rows(cached, ksample)
    assert (all_rows, fewer) == (2 * STEPS, STEPS + BOTH)
    assert mailbox.latest.shares["guidance"] == BOTH / STEPS
    assert not mailbox.latest.demotions
    assert [row.state for row in mailbox.latest.rows] == ["compute"] * BOTH + ["one branch"] * (STEPS - BOTH)
    assert 0 < apart(first, plain) < 0.3
    assert torch.equal(ksample(cached), first)
    assert torch.equal(ksample(lab), plain)


def outputs_of(model, sampler="euler", **how):
    """Sigma, denoised conditional and unconditional output of each evaluation, as another node sees them."""
    from comfy.patcher_extension import WrappersMP

    seen, model = [], model.clone()

    def look(executor, of, conds, x, sigma, *rest):
        outputs = executor(of, conds, x, sigma, *rest)
        seen.append((float(sigma[0]), *(output.clone() for output in outputs)))
        return outputs

    wrappers = model.wrappers.setdefault(WrappersMP.CALC_COND_BATCH, {})
    model.wrappers[WrappersMP.CALC_COND_BATCH] = {"outermost": [look], **wrappers}
    ksample(model, sampler=sampler, **how)
    return seen


def test_the_second_output_is_the_first_and_the_last_difference_of_raw_outputs(lab, gate):
    seen = outputs_of(gate(lab)[0])
    sigma, cond, uncond = seen[BOTH - 1]
    kept = (uncond - cond) / -sigma  # FLUX: denoised = x - sigma output
    for sigma, cond, uncond in seen[BOTH:]:
        torch.testing.assert_close(uncond, cond - sigma * kept, rtol=0, atol=1e-5)


def hooked(name, function):
    def put(model):
        model = model.clone()
        getattr(model, f"set_model_{name}")(function)
        return model

    return put


REFUSED = {
    "guidance 1": ({"cfg": 1.0}, None, "guidance is 1"),
    "cfg_pp": ({"sampler": "euler_cfg_pp", "cfg": 1.5}, None, "without cfg_pp"),
    "post-CFG hook": ({}, hooked("sampler_post_cfg_function", lambda args: args["denoised"]), "both branches"),
    "pre-CFG hook": ({}, hooked("sampler_pre_cfg_function", lambda args: args["conds_out"]), "both branches"),
    "CFG function": ({}, hooked("sampler_cfg_function", lambda args: args["cond"]), "both branches"),
    "own batching": (
        {},
        hooked("sampler_calc_cond_batch_function", lambda args: [torch.zeros_like(args["input"])] * 2),
        "both branches",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_needs_the_true_second_output_gets_it_and_is_told(lab, gate, case):
    how, put, reason = REFUSED[case]
    model = put(lab) if put else lab
    cached, mailbox = gate(model)
    assert torch.equal(ksample(cached, **how), ksample(model, **how))
    assert any(reason in demotion for demotion in mailbox.latest.demotions)


def test_a_guider_of_three_conditionings_gets_them_all_and_is_told(lab, gate):
    from comfy.samplers import sampler_object
    from comfy_extras.nodes_custom_sampler import Guider_DualCFG

    @torch.inference_mode()
    def dual(model):
        guider = Guider_DualCFG(model)
        guider.set_conds(prompt(1), prompt(2), prompt(UNCONDITIONAL))
        guider.set_cfg(CFG, CFG)
        noise = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(1))
        sigmas = torch.linspace(1, 0, STEPS + 1)
        return guider.sample(noise, torch.zeros_like(noise), sampler_object("euler"), sigmas, disable_pbar=True)

    cached, mailbox = gate(lab)
    assert torch.equal(dual(cached), dual(lab))
    assert any("3 conditionings" in demotion for demotion in mailbox.latest.demotions)


@pytest.mark.parametrize("sampler", ["euler_ancestral", "heun", "dpmpp_2m", "dpmpp_2m_sde", "uni_pc"])
def test_samplers_that_add_noise_or_ask_twice_save_rows_too(lab, gate, sampler):
    plain, all_rows = rows(lab, lambda model: ksample(model, sampler=sampler))
    cached, mailbox = gate(lab)
    found, fewer = rows(cached, lambda model: ksample(model, sampler=sampler))
    assert fewer <= 0.8 * all_rows
    assert not mailbox.latest.demotions
    assert 0 < apart(found, plain) < 0.5


def test_a_mask_that_keeps_a_part_keeps_it(lab, gate):
    latent = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(7))
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1
    import comfy.samplers

    @torch.inference_mode()
    def masked(model):
        worker = comfy.samplers.KSampler(model, STEPS, model.load_device, "euler", "simple", 1.0, model.model_options)
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(1))
        negative = prompt(UNCONDITIONAL)
        return worker.sample(noise, prompt(1), negative, CFG, latent, denoise_mask=mask, disable_pbar=True, seed=1)

    plain, all_rows = rows(lab, masked)
    found, fewer = rows(gate(lab)[0], masked)
    assert (all_rows, fewer) == (2 * STEPS, STEPS + BOTH)
    torch.testing.assert_close(found[..., 8:], plain[..., 8:], rtol=0, atol=1e-5)
    assert 0 < apart(found, plain) < 0.3


def test_a_negative_prompt_that_changes_underway_is_computed_at_once(lab, gate):
    early, late = prompt(UNCONDITIONAL), prompt(4)
    early[0][1] |= {"start_percent": 0.0, "end_percent": 0.77}
    late[0][1] |= {"start_percent": 0.77, "end_percent": 1.0}
    plain, all_rows = rows(lab, lambda model: ksample(model, negative=early + late))
    cached, mailbox = gate(lab)
    found, fewer = rows(cached, lambda model: ksample(model, negative=early + late))
    assert STEPS + BOTH < fewer < all_rows - 5
    assert not mailbox.latest.demotions
    assert 0 < apart(found, plain) < 0.3


def test_beside_a_cache_of_the_output_the_rows_are_those_of_its_computed_steps(lab, gate, ab):
    cached, mailbox = gate(ab(lab, "custom", interval=3, warmup_steps=1, final_steps=0)[0])
    found, fewer = rows(cached, ksample)
    report = mailbox.latest
    ran = [row.state for row in report.rows if row.state != "predict model"]
    assert fewer == 2 * ran.count("compute") + ran.count("one branch")
    assert ran.count("compute") == len(ran) - round(SHARE * len(ran))
    assert set(report.shares) == {"model", "guidance"}
    assert apart(found, ksample(lab)) < 0.3
    assert torch.equal(ksample(cached), found)


def test_beside_a_cache_of_the_blocks_both_save(lab, gate, feb):
    cached, mailbox = gate(feb(lab, "custom", attention_interval=2, mlp_interval=2, fragile_interval=2)[0])
    found, fewer = rows(cached, ksample)
    report = mailbox.latest
    assert {"reuse both, one branch", "reuse both"} <= {row.state for row in report.rows}
    assert STEPS < fewer < 2 * STEPS
    assert max(report.shares["attention"], report.shares["mlp"]) < 0.7
    assert not report.demotions
    assert apart(found, ksample(lab)) < 0.2
    assert torch.equal(ksample(cached), found)


def test_the_guidance_of_a_recorded_picture_decides(lab, method, plans):
    plain = ksample(lab)
    cached, mailbox = method(lab, "PromptTea DynCFG", strength=0.25, curves="learned on this model")
    assert torch.equal(ksample(cached), plain)
    (file,) = plans.glob("profile_*.json")
    found, fewer = rows(cached, ksample)
    assert fewer == pytest.approx(1.5 * STEPS, abs=2)
    assert 0 < apart(found, plain) < 0.3
    assert '"guidance": [0.0, ' in file.read_text()


def test_a_noise_predicting_model_has_its_second_branch_from_the_first(method):
    model, how = unet(), {"steps": STEPS, "cfg": 7.0, "channels": 4}
    plain = sample(model, **how)
    for name, threshold in (("CFG gate", 0.2), ("FasterCache CFG", 5)):
        cached, _ = method(model, name, threshold=threshold)
        found, fewer = rows(cached, lambda model: sample(model, **how))
        assert fewer < 2 * STEPS, name
        assert 0 < apart(found, plain) < 0.5, name


@pytest.mark.parametrize("schedule", ["standard_static", "standard_uniform"])
def test_each_context_window_has_its_own_difference(method, schedule):
    wan, caches = scene("Wan"), []

    def node(model):
        caches.append(method(model, threshold=SHARE))
        return caches[-1][0]

    (plain,), (found,) = windows(schedule)(wan, lambda model: model), windows(schedule)(wan, node)
    report = caches[0][1].latest
    assert report.shares["guidance"] < 0.8
    assert not report.demotions
    assert 0 < apart(found, plain) < 0.2


def test_video_and_sound_packed_in_one_are_reused_without_bands(method):
    tiny = TINY["ltx2"]
    model = tiny.build()
    cached, mailbox = method(model, "FasterCache CFG", threshold=5)
    assert 0 < apart(sampled(tiny, cached, steps=12), sampled(tiny, model, steps=12)) < 0.2
    assert mailbox.latest.shares["guidance"] == 0.5
    assert not mailbox.latest.demotions
