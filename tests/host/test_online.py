"""Decisions online in a real ComfyUI: by the first block's input, by the state, and, known before, by the time."""

import math
import sys
from types import SimpleNamespace

import pytest
import torch
from comfy_models import ksample as sample
from comfy_models import unet
from test_hunyuan_video import hunyuan, text, vsample
from test_learning import STEPS, ksample, model  # noqa: F401 (fixture)
from tiny import TINY, sampled

pytestmark = pytest.mark.usefixtures("plans")

LEAST, MOST = 0.001, 10.0  # thresholds of the methods
SHOWN = (  # models whose first block is read
    *("wan", "wan_i2v", "wan_camera", "ltxv", "mochi"),
    *("lumina", "z_image", "newbie", "ideogram4", "z_image_pixels", "qwen_image", "mage_flow", "lens", "longcat"),
)


@pytest.fixture
def node(pack):
    return pack.NODE_CLASS_MAPPINGS["CacheMethod"]()


@pytest.fixture
def core(pack):
    def of(path):
        return sys.modules[f"{pack.__name__}.{path}"]

    return SimpleNamespace(
        site=of("cache_core.site"),
        schedule=of("cache_core.schedule"),
        plan=of("cache_core.plan"),
        saved=of("cache_core.settings.saved"),
        attach=of("nodes.comfy.attach"),
        mailbox=of("nodes.comfy.mailbox"),
        time=of("nodes.comfy.time_embedding"),
        readings=of("cache_core.run.readings"),
    )


def deciding(core, model, threshold, indicator="Modulated", **how):  # noqa: F811
    """A clone of the model with the bare rule on its blocks, and the mailbox."""
    rule = core.schedule.Online(core.site.MODULES, getattr(core.schedule, indicator)(), threshold, **how)
    settings = core.saved.FixedSettings(core.plan.Plan(rule, merge=True))
    mailbox = core.mailbox.Mailbox(None)
    return core.attach.attach(model, settings, mailbox), mailbox


def computed(mailbox):
    return [row.step for row in mailbox.latest.rows if row.state == "compute"]


@pytest.mark.parametrize("name", ["TeaCache", "SeaCache", "EasyCache"])
def test_on_flux_a_look_changes_nothing_and_the_most_computes_the_edges(model, node, name):  # noqa: F811
    plain = ksample(model, steps=STEPS)
    looked, mailbox = node.apply(model, name, threshold=LEAST)
    assert torch.equal(ksample(looked, steps=STEPS), plain)
    assert len(computed(mailbox)) == STEPS
    fast, mailbox = node.apply(model, name, threshold=0.6)
    first, second = ksample(fast, steps=STEPS), ksample(fast, steps=STEPS)
    assert torch.equal(first, second)
    assert not torch.equal(first, plain)
    assert {0, STEPS - 1} < set(computed(mailbox)) < set(range(STEPS))
    assert torch.equal(ksample(model, steps=STEPS), plain)


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m", "uni_pc", "euler_ancestral"])
@pytest.mark.parametrize("indicator", ["Modulated", "Foreseen", "Displacement", "Filtered"])
def test_each_indicator_works_with_each_kind_of_sampler(model, core, sampler, indicator):  # noqa: F811
    cached, mailbox = deciding(core, model, 0.4, indicator)
    first, second = (ksample(cached, steps=STEPS, sampler=sampler, cfg=3.0) for _ in range(2))
    assert first.isfinite().all()
    assert torch.equal(first, second)
    assert mailbox.latest.demotions == ()


def test_an_infinite_threshold_computes_the_first_and_the_last_step(model, core):  # noqa: F811
    cached, mailbox = deciding(core, model, math.inf)
    ksample(cached, steps=STEPS)
    assert computed(mailbox) == [0, STEPS - 1]


def test_on_hunyuan_video_a_look_changes_nothing_whatever_is_batched(node):
    video, prompts = hunyuan(), (text(1), text(2))
    plain = vsample(video, prompts)
    looked, mailbox = node.apply(video, "TeaCache", threshold=LEAST)
    assert torch.equal(vsample(looked, prompts), plain)
    fast, mailbox = node.apply(video, "TeaCache", threshold=MOST)
    assert vsample(fast, prompts).isfinite().all()
    assert mailbox.latest.demotions == ()
    assert 0 in computed(mailbox)
    assert len(computed(mailbox)) < 12
    assert torch.equal(vsample(video, prompts), plain)


@pytest.mark.parametrize("family", SHOWN)
def test_each_family_that_shows_its_first_block_is_read_and_left_as_it_was(family, core):
    tiny = TINY[family]
    own = tiny.build()
    plain = sampled(tiny, own)
    looked, mailbox = deciding(core, own, 0.0)
    assert torch.equal(sampled(tiny, looked), plain)
    fast, mailbox = deciding(core, own, math.inf)
    assert sampled(tiny, fast, steps=12).isfinite().all()
    assert computed(mailbox) == [0, 11]
    assert mailbox.latest.demotions == ()
    assert not any("forward" in module.__dict__ for module in own.model.diffusion_model.modules())
    assert torch.equal(sampled(tiny, own), plain)


@pytest.mark.parametrize("family", ["wan", "ltxv", "qwen_image"])
def test_the_input_of_video_and_of_pictures_is_on_its_grid(family, core):
    cached, mailbox = deciding(core, TINY[family].build(), math.inf, "Filtered")
    assert sampled(TINY[family], cached, steps=12).isfinite().all()
    assert computed(mailbox) == [0, 11]
    assert mailbox.latest.demotions == ()


def embedded(own, layers, run):
    """The outputs of the time layers in a plain sampling, of its first row."""
    found = []
    handle = getattr(own.model.diffusion_model, layers).register_forward_hook(lambda _, __, out: found.append(out[:1]))
    try:
        run()
    finally:
        handle.remove()
    return found


@pytest.mark.parametrize(
    ("family", "layers", "what"),
    [("wan", "time_embedding", ""), ("wan", "time_projection", "projected"), ("hidream", "t_embedder", "")],
)
def test_the_changes_of_the_time_embedding_are_known_before_the_run(family, layers, what, core):
    tiny = TINY[family]
    own = tiny.build()
    sigmas = []
    seen = embedded(own, layers, lambda: sampled(tiny, noting(own, sigmas), steps=12, cfg=1.0))
    read = [core.readings.distance(now, before) for before, now in zip(seen, seen[1:], strict=False)]
    foretold = core.time.changes(own, torch.tensor([*sigmas, 0.0]), what)
    assert foretold == pytest.approx((0.0, *read), rel=1e-4)
    assert min(read) > 0


def noting(own, sigmas):
    """The model, which notes the sigmas of its evaluations."""
    clone = own.clone()

    def wrapped(apply_model, given):
        sigmas.append(float(given["timestep"][0]))
        return apply_model(given["input"], given["timestep"], **given["c"])

    clone.set_model_unet_function_wrapper(wrapped)
    return clone


def test_wans_steps_are_those_of_the_rule_on_the_embedding_that_its_run_shows(node, core, pack, monkeypatch):
    tiny = TINY["wan"]
    own = tiny.build()
    teacache = sys.modules[f"{pack.__name__}.cache_core.methods.teacache"]
    methods = sys.modules[f"{pack.__name__}.cache_core.methods"]
    timeline = sys.modules[f"{pack.__name__}.cache_core.timeline"].Timeline
    # a random model's embedding changes by so much that the released polynomial is below 0
    curves = sys.modules[f"{pack.__name__}.cache_core.methods.published"].published()["teacache_poly4_high_to_low"]
    monkeypatch.setitem(curves, "wan2.1_t2v_14B", [0.0, 0.0, 0.0, 1.0, 0.0])
    seen = embedded(own, "time_embedding", lambda: sampled(tiny, own, steps=12, cfg=1.0))
    changes = [core.readings.distance(now, before) for before, now in zip(seen, seen[1:], strict=False)]
    variant = sys.modules[f"{pack.__name__}.nodes.comfy.variant"].variant_of(own)
    line = timeline.even(12)
    decided = set()
    for threshold in (0.05, 0.5, 2.0, 5.0):
        cached, mailbox = node.apply(own, "TeaCache", threshold=threshold)
        sampled(tiny, cached, steps=12, cfg=1.0)
        online = teacache.rule(methods.Sampling(line, variant), threshold)
        assert computed(mailbox) == list(online.replayed((0.0, *changes), line).computed(core.site.Kind.MLP))
        decided.add(len(computed(mailbox)))
    assert len(decided) > 1


def test_prompttea_on_hunyuan_video_has_its_steps_before_the_run(node):
    video, prompts = hunyuan(), (text(1), text(2))
    plain = vsample(video, prompts)
    fast, mailbox = node.apply(video, "PromptTea", strength=0.5)
    vsample(fast, prompts)
    assert 0 in computed(mailbox)
    assert len(computed(mailbox)) < 12
    assert torch.equal(vsample(video, prompts), plain)


def test_sencache_learns_from_one_picture(model, node):  # noqa: F811
    plain = ksample(model, steps=STEPS)
    cached, mailbox = node.apply(model, "SenCache", strength=0.5, curves="learned on this model")
    assert torch.equal(ksample(cached, steps=STEPS), plain)
    ksample(cached, steps=STEPS)
    assert abs(len(computed(mailbox)) / STEPS - 0.5) < 0.2


def test_easycache_serves_a_unet(node):
    own = unet()
    plain = sample(own, steps=12, channels=4)
    cached, mailbox = node.apply(own, "EasyCache", threshold=MOST)
    assert not torch.equal(sample(cached, steps=12, channels=4), plain)
    assert max(mailbox.latest.shares.values()) < 0.6
    assert torch.equal(sample(own, steps=12, channels=4), plain)


def test_a_compiled_model_is_not_looked_into_and_says_so(model, core):  # noqa: F811
    plain = ksample(model, steps=STEPS)
    cached, mailbox = deciding(core, model, math.inf)
    cached.model_options["torch_compile_kwargs"] = {}
    assert torch.equal(ksample(cached, steps=STEPS), plain)
    assert any("compiled" in reason for reason in mailbox.latest.demotions)
