"""The lab's models, their pictures and the demo: small, but the ground that every number in the README stands on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from cache_core import OUTPUT, Extrapolation, Plan, Steps, Timeline, evenly
from lab.codec import decode, encode
from lab.condition import UNCONDITIONAL, condition
from lab.demo import psnr
from lab.families import FAMILIES, FLUX, HUNYUAN_VIDEO
from lab.rows import SETTINGS
from lab.sample import flow_sigmas, load, noise_of, sample
from lab.scenes import CLASSES, draw, film

ROOT = Path(__file__).resolve().parents[2]
LABELS = torch.arange(len(CLASSES))


def pictures(seed: int) -> torch.Tensor:
    return draw(LABELS, torch.Generator().manual_seed(seed))


def test_a_seed_draws_the_same_pictures_and_another_one_others():
    assert torch.equal(pictures(1), pictures(1))
    assert not torch.equal(pictures(1), pictures(2))


def test_the_code_is_linear_and_keeps_what_the_eye_sees():
    one, two = pictures(1), pictures(2)
    torch.testing.assert_close(encode(one + 2 * two), encode(one) + 2 * encode(two), atol=1e-4, rtol=1e-4)
    assert psnr(decode(encode(one)), one) > 30


def test_decoding_loses_nothing_that_encoding_kept():
    latents = noise_of([1])
    torch.testing.assert_close(encode(decode(latents)), latents, atol=1e-4, rtol=1e-4)


def test_no_class_has_a_condition_of_its_own():
    context, vector = condition(torch.tensor([0, UNCONDITIONAL]))
    assert not torch.equal(context[0], context[1])
    assert vector.argmax(1).tolist() == [0, UNCONDITIONAL]


@pytest.mark.parametrize(("family", "parameters"), [(FLUX, 3_388_992), (HUNYUAN_VIDEO, 4_017_984)], ids=FAMILIES)
def test_the_weights_are_small_and_say_how_they_were_trained(family, parameters):
    model, facts = load(family)
    assert family.weights.stat().st_size <= 12e6
    assert facts["steps"] > 1000
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_a_clip_moves_without_a_cut():
    """Neighbouring frames are more alike than distant ones, and none is the same."""
    clips = film(LABELS, torch.Generator().manual_seed(1), 5)
    assert clips.shape == (len(CLASSES), 3, 5, 64, 64)
    near, far = (float((clips[:, :, 0] - clips[:, :, t]).square().mean().sqrt()) for t in (1, 4))
    assert 0 < near < far / 1.4


def test_a_clip_is_coded_frame_by_frame():
    clips = film(LABELS, torch.Generator().manual_seed(1), 5)
    torch.testing.assert_close(encode(clips)[:, :, 3], encode(clips[:, :, 3]))
    assert psnr(decode(encode(clips)), clips) > 30


def test_the_video_model_draws_clips_that_hold_together():
    """Sampled clips are as smooth in space as drawn ones, and change from frame to frame about as much."""

    def roughness(clips: torch.Tensor, dim: int) -> float:
        return float(clips.diff(dim=dim).abs().mean() / clips.std())

    model, _ = load(HUNYUAN_VIDEO)
    latents, _ = sample(
        model,
        noise_of([1, 2, 3, 4], HUNYUAN_VIDEO.latents),
        LABELS[2:6],
        flow_sigmas(12, HUNYUAN_VIDEO.shift),
        guidance=3.0,
    )
    drawn, sampled = film(LABELS[2:6].repeat(4), torch.Generator().manual_seed(1), 5), decode(latents)
    assert roughness(sampled, -1) < 1.5 * roughness(drawn, -1)
    assert roughness(sampled, 2) < 1.5 * roughness(drawn, 2)


def test_noise_depends_on_the_seed_alone():
    assert torch.equal(noise_of([3, 4])[1], noise_of([4])[0])


@pytest.fixture(scope="module")
def uncached():
    model, _ = load()
    noise, sigmas = noise_of(list(range(12))), flow_sigmas(20)
    return model, noise, sigmas, sample(model, noise, LABELS, sigmas)[0]


def test_samples_have_the_range_and_the_smoothness_of_scenes(uncached):
    """Pictures, not noise: between neighbouring pixels they change about as little as drawn ones do."""

    def roughness(p: torch.Tensor) -> float:
        return float((p.diff(dim=-1).abs().mean() + p.diff(dim=-2).abs().mean()) / p.std())

    drawn, sampled = (torch.cat([pictures(s) for s in range(4)]), decode(uncached[3]))
    assert sampled.abs().max() < 2
    assert 0.6 < float(sampled.std() / drawn.std()) < 1.4
    assert roughness(sampled) < 1.5 * roughness(drawn)


def test_the_same_noise_with_another_class_is_another_picture(uncached):
    model, noise, sigmas, samples = uncached
    other = sample(model, noise, LABELS.roll(1), sigmas)[0]
    assert psnr(decode(other), decode(samples)) < 25


def test_order_two_is_closer_than_reuse_at_the_same_steps(uncached):
    model, noise, sigmas, samples = uncached
    schedule = Steps(OUTPUT, evenly(20, 10))
    plans = [Plan(schedule, Extrapolation(order)) for order in (1, 2)]
    latents = [sample(model, noise, LABELS, sigmas, (plan,))[0] for plan in plans]
    reuse, second = (psnr(decode(found), decode(samples)) for found in latents)
    assert second > reuse + 3


def test_every_setting_of_the_demo_makes_a_plan():
    timeline = Timeline.flow(flow_sigmas(50))
    assert SETTINGS[0].plans(timeline) == ()
    assert all(len(setting.plans(timeline)) == 1 for setting in SETTINGS[1:])
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


@pytest.mark.parametrize(("family", "picture"), [("flux", "compare.png"), ("hunyuan_video", "compare.webp")])
def test_the_demo_writes_its_report_and_its_pictures(tmp_path, family, picture):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lab.demo",
            f"--model={family}",
            "--steps=9",
            "--pictures=2",
            "--rounds=1",
            f"--out={tmp_path}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "report.json").read_text())["rows"]
    assert [row["name"] for row in rows] == [setting.name for setting in SETTINGS]
    assert set(rows[0]) == {
        "name",
        "model",
        "steps",
        "evaluations",
        "attention_computed",
        "mlp_computed",
        "seconds",
        "speedup",
        "psnr_db",
        "relative_l2",
    }
    assert rows[0]["speedup"] == 1.0
    assert rows[0]["relative_l2"] == 0.0
    assert (tmp_path / picture).stat().st_size > 5000
    with Image.open(tmp_path / picture) as shown:
        assert getattr(shown, "n_frames", 1) == (1 if family == "flux" else 8)
