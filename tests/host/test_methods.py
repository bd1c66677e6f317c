"""Cache Method in a real ComfyUI: each method reuses, says so, and leaves the model as it was."""

import json

import pytest
import torch
from comfy_models import unet
from test_learning import STEPS
from test_learning import evaluations as evaluations_of
from test_learning import ksample as lab_sample
from tiny import TINY, sampled

from cache_core.methods import METHODS
from lab.families import FLUX
from lab.in_comfyui import comfyui_model

ESTIMATED = {"DBCache", "FBCache", "DiCache"}  # as released they decide during the run: the strength is an estimate
pytestmark = pytest.mark.usefixtures("plans")
CFG = 3.0  # with true guidance: some methods leave out one of its branches


def given(name, reuses=True):
    """The schedule of a method that has nothing for FLUX without one; of a router also with nothing to reuse."""
    router = {f"{i}.prob": [-4.0 if reuses else 4.0] * (2 * (3 + 6)) for i in range(STEPS)}
    lists = {"double_blocks": [1, 2], "single_blocks": [*range(6)]}
    found = {"ProfilingDiT": lists, "Learning-to-Cache": router}.get(name)
    return {"schedule": json.dumps(found)} if found else {}


def ksample(model, **how):
    return lab_sample(model, cfg=CFG, **how)


def evaluations(model):
    return evaluations_of(model, cfg=CFG)


@pytest.fixture(scope="module")
def model():
    return comfyui_model(FLUX)


@pytest.fixture
def methods(pack):
    return {name: pack.NODE_CLASS_MAPPINGS["CacheMethod"]() for name in method_names(pack)}


LEARNED_ONLY = {"SmoothCache", "Q&C", "PromptTea DynCFG", "PromptTea", "SenCache"}  # nothing is published for FLUX


@pytest.fixture
def refused(pack):
    errors = __import__(f"{pack.__name__}.cache_core.errors", fromlist=["ConfigError"])
    return pytest.raises(errors.ConfigError, match="learned on this model")


def method_names(pack):
    """All but those for U-Nets, which test_deepcache has."""
    every = pack.NODE_CLASS_MAPPINGS["CacheMethod"].INPUT_TYPES()["required"]["method"][0]
    return [name for name in every if "DeepCache" not in name]


def test_nothing_saved_is_bit_identical(model, methods):
    plain = ksample(model, steps=STEPS)
    for name, node in methods.items():
        cached, _ = node.apply(model, name, strength=0.0, **given(name, reuses=False))
        assert torch.equal(ksample(cached, steps=STEPS), plain), name


def test_half_the_evaluations_are_saved_and_the_model_stays_as_it_was(model, methods, refused):
    plain = ksample(model, steps=STEPS)
    for name, node in methods.items():
        if name in LEARNED_ONLY:
            with refused:
                node.apply(model, name, strength=0.5)
            continue
        cached, mailbox = node.apply(model, name, strength=0.5, **given(name))
        first, second = ksample(cached, steps=STEPS), ksample(cached, steps=STEPS)
        assert not torch.equal(first, plain), name
        assert torch.equal(first, second), name
        assert min(mailbox.latest.shares.values()) <= (0.95 if name in ESTIMATED else 0.6), name
        assert torch.equal(ksample(model, steps=STEPS), plain), name


def test_learned_curves_cost_one_full_picture(model, methods, plans):
    plain = ksample(model, steps=STEPS)
    for name, node in methods.items():
        if not METHODS[name].curves:
            continue
        cached, _ = node.apply(model, name, strength=0.5, curves="learned on this model")
        recorded, _ = evaluations(cached)
        assert torch.equal(recorded, plain), name
        assert not torch.equal(ksample(cached, steps=STEPS), plain), name
        for profile in plans.iterdir():  # it would serve the next method as well
            profile.unlink()


def test_two_methods_beside_each_other_learn_from_one_picture(model, methods):
    plain = ksample(model, steps=STEPS)
    for names in (("MagCache", "PromptTea DynCFG"), ("PromptTea DynCFG", "MagCache")):
        cached, boxes = model, []
        for name in names:
            cached, box = methods[name].apply(cached, name, strength=0.3, curves="learned on this model")
            boxes.append(box)
        first, second = ksample(cached, steps=STEPS), ksample(cached, steps=STEPS)
        shares = next(box.latest for box in boxes if box.latest).shares
        assert torch.equal(first, plain) == (names[0] == "MagCache")  # the second order finds the picture recorded
        assert not torch.equal(second, plain)
        assert max(shares.values()) < 1, names


def test_beside_a_method_that_learns_ab_cache_learns_too(model, methods, ab):
    plain = ksample(model, steps=STEPS)
    learning, _ = ab(model, "balanced", learn=True)
    cached, _ = methods["MagCache"].apply(learning, "MagCache", curves="learned on this model")
    recorded, learned, fast = (ksample(cached, steps=STEPS) for _ in range(3))
    assert torch.equal(recorded, plain)
    assert torch.equal(learned, plain)
    assert not torch.equal(fast, plain)
    assert torch.equal(ksample(cached, steps=STEPS), fast)


def test_q_and_c_is_refused_beside_another_cache_of_the_output_at_once(model, methods, ab, pack):
    errors = __import__(f"{pack.__name__}.cache_core.errors", fromlist=["ConfigError"])
    with pytest.raises(errors.ConfigError, match="cache the same parts"):
        methods["Q&C"].apply(ab(model, "balanced")[0], "Q&C", curves="learned on this model")


@pytest.mark.parametrize("name", ["SenCache", "EasyCache"])
def test_what_decides_during_the_run_is_refused_beside_ab_cache_before_it_learns(model, methods, ab, pack, name):
    errors = __import__(f"{pack.__name__}.cache_core.errors", fromlist=["ConfigError"])
    with pytest.raises(errors.ConfigError, match="one decides during the run"):
        methods[name].apply(ab(model, "balanced")[0], name, curves="learned on this model")


def test_q_and_c_has_its_place_beside_a_cache_of_the_blocks(model, methods, feb):
    cached, mailbox = methods["Q&C"].apply(feb(model, "balanced")[0], "Q&C", curves="learned on this model")
    assert torch.equal(ksample(cached, steps=STEPS), ksample(model, steps=STEPS))
    assert ksample(cached, steps=STEPS).isfinite().all()
    report = mailbox.latest
    assert set(report.shares) == {"model", "attention", "mlp"}


def test_what_cannot_be_recorded_is_computed_and_the_report_says_so(model, methods):
    for how, reason in (({"sampler": "euler_ancestral"}, "adds new noise"), ({"steps": 6}, "8 steps or more")):
        cached, mailbox = methods["MagCache"].apply(model, "MagCache", curves="learned on this model")
        how = {"steps": STEPS, **how}
        assert torch.equal(ksample(cached, **how), ksample(model, **how))
        assert any("no curves are recorded" in note and reason in note for note in mailbox.latest.notes)


def test_a_profile_of_another_sampling_is_recorded_anew(model, methods, plans):
    plain, short = (ksample(model, steps=steps) for steps in (STEPS, 12))
    cached, _ = methods["MagCache"].apply(model, "MagCache", curves="learned on this model")
    assert torch.equal(ksample(cached, steps=STEPS), plain)
    (file,) = plans.glob("profile_*.json")
    assert torch.equal(ksample(cached, steps=12), short)
    (other,) = set(plans.glob("profile_*.json")) - {file}
    file.write_bytes(other.read_bytes())
    assert torch.equal(ksample(cached, steps=STEPS), plain)
    assert not torch.equal(ksample(cached, steps=STEPS), plain)


def test_a_method_without_curves_has_nothing_to_learn(model, methods, plans):
    for name in (name for name, method in METHODS.items() if not method.curves and name in methods):
        cached, _ = methods[name].apply(model, name, strength=0.5, curves="learned on this model", **given(name))
        released, _ = methods[name].apply(model, name, strength=0.5, **given(name))
        assert torch.equal(ksample(cached, steps=STEPS), ksample(released, steps=STEPS)), name
    assert not list(plans.iterdir())


def test_a_file_of_smoothcache_is_followed_for_attention_and_mlp_apart(model, methods):
    lists = {"attn": [1, 0, 0] * 8, "mlp": [1, 0] * 12}
    cached, mailbox = methods["SmoothCache"].apply(model, "SmoothCache", schedule=json.dumps(lists))
    ksample(cached, steps=STEPS)
    assert mailbox.latest.shares == {"attention": pytest.approx(1 / 3), "mlp": pytest.approx(1 / 2)}


@pytest.mark.parametrize("name", ["Learning-to-Cache", "ProfilingDiT"])
def test_what_is_tried_on_the_first_picture_costs_what_its_note_says_and_leaves_nothing_behind(model, methods, name):
    plain = ksample(model, steps=STEPS)
    magcache, _ = methods["MagCache"].apply(model, "MagCache", curves="learned on this model")
    evaluations(magcache)  # its profile is of the same sampling, and nothing was tried on it
    cached, mailbox = methods[name].apply(model, name, strength=0.25, curves="learned on this model")
    recorded, count = evaluations(cached)
    (more,) = [int(note.split()[5]) for note in mailbox.latest.notes if "more evaluations try" in note]
    assert torch.equal(recorded, plain)
    assert count == STEPS + more
    first, second = ksample(cached, steps=STEPS), ksample(cached, steps=STEPS)
    assert torch.equal(first, second)
    assert not torch.equal(first, plain)
    assert min(mailbox.latest.shares.values()) < 0.9
    assert torch.equal(ksample(model, steps=STEPS), plain)


def test_a_router_is_followed_for_each_attention_and_mlp(model, methods):
    logits = [4.0, -4.0] * 3 + [-4.0, -4.0] * 6  # of each double block the MLP is reused, of each single one both
    router = json.dumps({f"{i}.prob": logits for i in range(STEPS)})
    cached, mailbox = methods["Learning-to-Cache"].apply(model, "Learning-to-Cache", schedule=router)
    first, second = ksample(cached, steps=STEPS), ksample(cached, steps=STEPS)
    assert torch.equal(first, second)
    assert mailbox.latest.shares == {"attention": pytest.approx(1 - 0.5 * 6 / 12), "mlp": pytest.approx(1 / 2)}
    with pytest.raises(ValueError, match="Set 24"):
        ksample(cached, steps=20)


@pytest.mark.parametrize("name", ["MagCache", "SmoothCache", "FORA", "Cache-DiT masks", "Spectrum", "Q&C"])
def test_a_model_without_known_blocks_has_its_output_reused(methods, name):
    tiny = TINY["hunyuan_dit"]
    cached, mailbox = methods[name].apply(tiny.build(), name, strength=0.4, curves="learned on this model")
    for _ in range(2):
        sampled(tiny, cached)
    assert mailbox.latest.shares["model"] <= 0.7


def test_what_a_model_cannot_have_is_refused_with_what_works(pack, methods):
    errors = __import__(f"{pack.__name__}.cache_core.errors", fromlist=["ConfigError"])
    with pytest.raises(errors.ConfigError, match="Spectrum works here"):
        methods["FasterCache attention"].apply(unet(), "FasterCache attention")
