"""FEB plans in ComfyUI: what is planned is what is computed, and trials see what reuse would give."""

from time import perf_counter

import pytest
import torch
from comfy_models import flux, ksample

STEPS = 12
ROWS = "#.#am..#m.##"  # the report's marks: # all computed, . all predicted, a and m only that kind computed


@pytest.fixture
def parts(pack):
    names = {
        "timeline": "Timeline",
        "saved_plan.saved_plan": "SavedPlan Origin",
        "schedule": "Table TableAt",
        "site": "MODULES Kind",
        "noise_scale": "NoiseScale",
        "calibrate.trials": "TrialRecorder trial_plan refreshes",
    }
    modules = {
        path: __import__(f"{pack.__name__}.cache_core.{path}", fromlist=names.split()) for path, names in names.items()
    }
    return type(
        "Parts", (), {name: getattr(modules[path], name) for path, found in names.items() for name in found.split()}
    )


def sigmas_of(model, steps=STEPS):
    import comfy.samplers

    return tuple(comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", steps).tolist())


def planned(parts, model, rows=ROWS, **facts):
    marks = {
        "#": parts.MODULES,
        "a": frozenset({parts.Kind.ATTENTION}),
        "m": frozenset({parts.Kind.MLP}),
        ".": frozenset(),
    }
    table = parts.Table(parts.MODULES, tuple(marks[mark] for mark in rows))
    return parts.SavedPlan(parts.Origin("Flux"), parts.TableAt(table, sigmas_of(model)), **{"order": 1, **facts})


def counted(model, monkeypatch):
    """How often attention kernels and the first block's MLP really ran in a sampling."""
    import torch.nn.functional as functional

    count, kernel = {"attention": 0, "mlp": 0}, functional.scaled_dot_product_attention
    mlp = (
        model.model.diffusion_model.double_blocks[0]
        .img_mlp[0]
        .register_forward_hook(lambda *_: count.update(mlp=count["mlp"] + 1))
    )
    with monkeypatch.context() as patch:
        patch.setattr(
            functional,
            "scaled_dot_product_attention",
            lambda *a, **k: count.update(attention=count["attention"] + 1) or kernel(*a, **k),
        )
        ksample(model, steps=STEPS)
    mlp.remove()
    return count


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_the_planned_kinds_are_computed_at_the_planned_steps(model, feb, parts, cfg):
    cached, mailbox = feb(model, plan=planned(parts, model))
    samples = ksample(cached, steps=STEPS, cfg=cfg)
    assert samples.isfinite().all()
    assert ROWS in mailbox.latest.text().splitlines()
    assert mailbox.latest.shares["attention"] == pytest.approx(sum(mark in "#a" for mark in ROWS) / STEPS)
    assert mailbox.latest.shares["mlp"] == pytest.approx(sum(mark in "#m" for mark in ROWS) / STEPS)
    assert not mailbox.latest.demotions
    assert torch.equal(ksample(cached, steps=STEPS, cfg=cfg), samples)


def test_the_modules_run_just_so_often(model, feb, parts, monkeypatch):
    """The check of the mounts, at the first step, adds the same to both plans, which use the same states."""
    more = counted(feb(model, plan=planned(parts, model, "####m#a##.##"))[0], monkeypatch)
    less = counted(feb(model, plan=planned(parts, model, "####mma#a.##"))[0], monkeypatch)
    blocks = len(model.model.diffusion_model.double_blocks) + len(model.model.diffusion_model.single_blocks)
    assert more["attention"] - less["attention"] == blocks
    assert more["mlp"] - less["mlp"] == 1


def test_a_plan_that_always_reuses_both_is_kept_merged_and_one_that_computes_all_changes_nothing(model, feb, parts):
    cached, mailbox = feb(model, plan=planned(parts, model, "###.#..#..##"))
    ksample(cached, steps=STEPS)
    assert "blocks together" in mailbox.latest.store
    every = feb(model, plan=planned(parts, model, "#" * STEPS))[0]
    assert torch.equal(ksample(every, steps=STEPS), ksample(model, steps=STEPS))


def test_a_plan_s_noise_scale_is_applied(model, feb, parts):
    plain = ksample(feb(model, plan=planned(parts, model))[0], steps=STEPS)
    scaled = ksample(
        feb(model, plan=planned(parts, model, corrector=parts.NoiseScale(0.97, 0.97, 0.4, False)))[0], steps=STEPS
    )
    assert 1e-3 < float((scaled - plain).norm() / plain.norm()) < 0.5


def test_the_memory_widget_counts_beside_a_plan(model, feb, parts):
    cached, mailbox = feb(model, plan=planned(parts, model), memory=1e-5)
    ksample(cached, steps=STEPS)
    assert any("of 0.0 MB allowed" in said for said in mailbox.latest.notes)
    assert mailbox.latest.peak_bytes < 2**15


def test_at_another_step_count_the_plan_is_moved_and_says_so(model, feb, parts):
    cached, mailbox = feb(model, plan=planned(parts, model))
    ksample(cached, steps=20)
    assert any("moved over sigma" in note for note in mailbox.latest.notes)
    assert 0.4 < mailbox.latest.shares["attention"] < 0.8


def test_a_plan_for_another_model_is_refused_with_both_names(model, feb, ab, parts):
    from dataclasses import replace

    other = replace(planned(parts, model), origin=parts.Origin("HunyuanVideo"))
    with pytest.raises(ValueError, match="HunyuanVideo and this model is Flux"):
        feb(model, plan=other)
    with pytest.raises(ValueError, match="FEB-Cache Apply"):
        ab(model, plan=planned(parts, model))


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_trials_leave_the_sampling_as_it_is_and_see_an_error_of_each_state(pack, model, parts, cfg):
    attach = __import__(f"{pack.__name__}.nodes.comfy.attach", fromlist=["attach"])
    refreshed = parts.refreshes(STEPS, 1, 4)
    recorder = parts.TrialRecorder(parts.Timeline.flow(sigmas_of(model)), refreshed, perf_counter)
    samples = ksample(attach.watched(model, (parts.trial_plan(refreshed),), recorder), steps=STEPS, cfg=cfg)
    assert torch.equal(samples, ksample(model, steps=STEPS, cfg=cfg))
    trials = recorder.trials()
    assert trials.bands[0, :, :3, :3].abs().max() == 0
    assert (trials.bands[1:].sum(1).diagonal(dim1=-2, dim2=-1) > 0).all()  # of each state, and of the output


def test_a_bundled_table_runs(pack, feb):
    nodes = pack.NODE_CLASS_MAPPINGS
    (plan,) = nodes["CachePlanLoad"]().load("bundled/flux_feb_released.safetensors")
    cached, mailbox = feb(flux(), plan=plan)
    ksample(cached, steps=25)
    assert mailbox.latest.shares["mlp"] == pytest.approx(34 / 50, abs=0.05)
