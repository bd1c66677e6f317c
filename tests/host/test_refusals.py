"""What the nodes refuse, with the reason, and what they fall back to."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from comfy_models import MIXED, flux, ksample


def test_the_same_node_twice_is_refused(model, feb, ab):
    for apply in (feb, ab):
        with pytest.raises(ValueError, match="same sites"):
            apply(apply(model)[0])


def test_tolerance_beside_feb_cache_is_refused(model, feb, ab):
    with pytest.raises(ValueError, match="tolerance"):
        ab(feb(model)[0], tolerance=0.1)


def test_after_guidance_is_refused_for_cfg_pp(model, ab):
    with pytest.raises(ValueError, match="euler_cfg_pp"):
        ksample(ab(model, after_guidance=True)[0], sampler="euler_cfg_pp", cfg=2.0)


def test_few_steps_run_uncached_and_say_so(model, feb):
    cached, mailbox = feb(model)
    assert torch.equal(ksample(cached, steps=4), ksample(model, steps=4))
    assert any("running uncached" in note for note in mailbox.latest.notes)


def test_half_precision_weights_are_sliced_after_their_cast(feb):
    half = flux(dtype=torch.float16)
    cached, mailbox = feb(half, **MIXED, stage_boundary=0.6)
    samples = ksample(cached, steps=20)
    assert samples.isfinite().all()
    assert mailbox.latest.demotions == ()


def test_weights_that_cannot_be_sliced_fall_back_to_the_attention_kernel(pack, model, feb, monkeypatch):
    monkeypatch.setattr(f"{pack.__name__}.nodes.weights.PLAIN", ())
    cached, mailbox = feb(model, **MIXED)
    samples = ksample(cached, steps=20)
    assert any("attention kernel only" in line for line in mailbox.latest.demotions)
    assert samples.isfinite().all()


def test_another_cache_is_refused_by_name(model, feb):
    taken = model.clone()
    taken.model_options["transformer_options"]["easycache"] = object()
    with pytest.raises(ValueError, match="EasyCache"):
        feb(taken)


def test_feb_cache_on_a_model_without_blocks_names_ab_cache(feb, ab, model):
    bare = model.clone()
    bare.add_object_patch("diffusion_model", torch.nn.Linear(2, 2))
    with pytest.raises(TypeError, match="Linear.*AB-Cache Apply"):
        feb(bare)


def test_no_comfyui_module_is_imported_when_the_pack_loads():
    root = Path(__file__).resolve().parents[2]
    code = ("import importlib.util as u, sys; s = u.spec_from_file_location('p', r'%s', submodule_search_locations=[r'%s']); "
            "m = u.module_from_spec(s); sys.modules['p'] = m; s.loader.exec_module(m); assert m.NODE_CLASS_MAPPINGS; "
            "print([n for n in sys.modules if n.split('.')[0] in ('comfy', 'folder_paths', 'server', 'execution')])")
    done = subprocess.run([sys.executable, "-c", code % (root / "__init__.py", root)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
