"""ComfyUI's MultiGPU work units, and samplings in several threads: two copies of a model on the CPU, each called
from a thread of its own."""

import threading
from collections import Counter

import pytest
import torch
from comfy_models import MIXED, flux, ksample

AB = {"interval": 3, "warmup_steps": 2}
FEB = {"attention_interval": 3, "mlp_interval": 3, "fragile_interval": 3, "memory": 1.0}


def apart(a, b):
    return float((a - b).norm() / b.norm())


@pytest.fixture(autouse=True)
def _plans(tmp_path, monkeypatch):
    """A folder of plans of its own for each test."""
    import folder_paths

    monkeypatch.setitem(folder_paths.folder_names_and_paths, "cache_plans", ([str(tmp_path)], {".safetensors"}))


@pytest.fixture
def split(monkeypatch):
    """A function that puts a second device, which is the CPU again, beside a model's own."""
    multigpu = pytest.importorskip("comfy.multigpu", reason="this ComfyUI has no MultiGPU work units")
    import comfy.model_management

    monkeypatch.setattr(comfy.model_management, "set_torch_device", lambda device: None)

    def on_two(model):
        model, other = model.clone(), flux().clone()
        other.load_device = other.offload_device = torch.device("cpu", 0)
        other.is_multigpu_base_clone = True
        model.set_additional_models("multigpu", [other])
        multigpu.GPUOptionsGroup().register(model)
        return model

    return on_two


@pytest.fixture
def threads(monkeypatch):
    """How many calls of a diffusion model each thread makes, by its name."""
    from comfy.ldm.flux.model import Flux

    made, forward = Counter(), Flux.forward

    def counted(self, *args, **kwargs):
        made[threading.current_thread().name] += 1
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(Flux, "forward", counted)
    return made


def both(feb, ab, model):
    """AB-Cache behind FEB-Cache on one model."""
    model, _ = feb(model, **FEB)
    return ab(model, **AB)


CACHES = {
    "AB": lambda feb, ab, model: ab(model, **AB),
    "AB after guidance": lambda feb, ab, model: ab(model, after_guidance=True, **AB),
    "FEB merged": lambda feb, ab, model: feb(model, **FEB),
    "FEB sites": lambda feb, ab, model: feb(model, memory=1.0, **MIXED),
    "both": both,
}


@pytest.mark.parametrize("cache", CACHES.values(), ids=CACHES)
@pytest.mark.parametrize("inference", [False, True])
def test_two_devices_predict_what_one_predicts(cache, inference, feb, ab, split, threads):
    # Was wrong once (run.py): the calls of two threads shared one record of the call underway. Nothing was cached, with
    # the reason that the model is called more than once; or it crashed; or, where the threads met, a conditioning got
    # the other's prediction.
    with torch.inference_mode(inference):
        one, told_one = cache(feb, ab, flux())
        wanted = ksample(one, cfg=2.0)
        threads.clear()
        two, told_two = cache(feb, ab, split(flux()))
        got = ksample(two, cfg=2.0)
    assert apart(got, wanted) < 1e-6  # one device calls the model with both conditionings at once
    alone, report = told_one.latest, told_two.latest
    assert [row.state for row in report.rows] == [row.state for row in alone.rows]
    assert (report.demotions, report.shares, report.peak_bytes) == (alone.demotions, alone.shares, alone.peak_bytes)
    assert any(row.state != "compute" for row in report.rows)
    assert len(threads) == 2  # and neither is the sampler's
    assert threading.current_thread().name not in threads


def test_a_plan_is_learned_and_used_on_two_devices(ab, split):
    pair = split(flux())
    cached, told = ab(pair, "auto", learn=True)
    first = ksample(cached, cfg=2.0)
    assert torch.equal(first, ksample(pair, cfg=2.0))
    assert any("plan was learned" in note for note in told.latest.notes)
    second = ksample(cached, cfg=2.0)
    assert told.latest.computed < 12
    alone, told_alone = ab(flux(), "auto", learn=True)
    assert apart(second, ksample(alone, cfg=2.0)) < 1e-6  # by the same plan
    assert told_alone.latest.computed == told.latest.computed


def failing_at(monkeypatch, place, error):
    """Let the second device's diffusion model fail once, at its call number `place`. Returns the failures."""
    from comfy.ldm.flux.model import Flux

    calls, failed, forward = Counter(), [], Flux.forward_orig

    def fails(self, *args, **kwargs):
        calls[id(self)] += 1
        if threading.current_thread() is not threading.main_thread() and calls[id(self)] == place and not failed:
            failed.append(id(self))
            raise error
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(Flux, "forward_orig", fails)
    return failed


@pytest.mark.parametrize("place", [5, 6, 8])  # kept, predicted, kept again
def test_memory_that_runs_out_on_one_device_costs_the_cache_and_not_the_picture(place, feb, split, monkeypatch):
    pair = split(flux())
    plain = ksample(pair, cfg=2.0)
    failed = failing_at(monkeypatch, place, torch.OutOfMemoryError("no room"))
    cached, told = feb(pair, **FEB)
    got = ksample(cached, cfg=2.0)
    assert failed
    assert any("out of memory" in said for said in told.latest.demotions)
    assert apart(got, plain) < 0.2
    assert torch.equal(ksample(pair, cfg=2.0), plain)


def test_after_an_error_on_one_device_nothing_is_left_of_the_cache(feb, split, monkeypatch):
    pair = split(flux())
    plain = ksample(pair, cfg=2.0)
    failing_at(monkeypatch, 4, ValueError("this one is not ours"))
    cached, told = feb(pair, **FEB)
    with pytest.raises(ValueError, match="not ours"):
        ksample(cached, cfg=2.0)
    assert not told.latest.finished
    assert torch.equal(ksample(pair, cfg=2.0), plain)
    assert not any("forward" in module.__dict__ for module in pair.model.diffusion_model.modules())


@pytest.fixture
def shared(monkeypatch):
    """A model that several threads may sample: the first one that ends makes ComfyUI forget which patcher the others
    run."""
    from comfy.model_patcher import ModelPatcher

    monkeypatch.setattr(ModelPatcher, "cleanup", lambda self: None)
    return flux()


@pytest.mark.parametrize(
    "caches", [("AB", "AB"), ("FEB merged", "FEB sites"), ("AB", "FEB merged"), ("both", "both")], ids=" and ".join
)
def test_two_samplings_in_two_threads_on_one_model_do_not_mix(caches, feb, ab, shared):
    made = [CACHES[name](feb, ab, shared) for name in caches]
    wanted = [ksample(cached, cfg=2.0, seed=seed) for seed, (cached, _) in enumerate(made)]
    states = [[row.state for row in told.latest.rows] for _, told in made]
    got = in_threads(
        *(lambda seed=seed, cached=cached: ksample(cached, cfg=2.0, seed=seed) for seed, (cached, _) in enumerate(made))
    )
    assert all(map(torch.equal, got, wanted))
    assert [[row.state for row in told.latest.rows] for _, told in made] == states
    assert not any("forward" in module.__dict__ for module in shared.model.diffusion_model.modules())


def test_one_node_may_sample_in_two_threads_at_once(ab, shared):
    cached, told = ab(shared, **AB)
    wanted = [ksample(cached, cfg=2.0, seed=seed) for seed in range(2)]
    got = in_threads(*(lambda seed=seed: ksample(cached, cfg=2.0, seed=seed) for seed in range(2)))
    assert all(map(torch.equal, got, wanted))
    assert [report.computed for report in told.reports] == [told.latest.computed] * 4


def in_threads(*works):
    """What `works` return, done all at once; raises what any of them raises."""
    results, errors = {}, []

    def kept(place, work):
        try:
            results[place] = work()
        except Exception as error:
            errors.append(error)

    running = [threading.Thread(target=kept, args=pair) for pair in enumerate(works)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(120)
    if errors:
        raise errors[0]
    return [results[place] for place in range(len(works))]
