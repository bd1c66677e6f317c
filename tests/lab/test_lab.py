"""The lab's model, its pictures and its demo: small, but the ground that every number in the README stands on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cache_core import OUTPUT, Plan, Predictor, Steps, Timeline, evenly
from lab.codec import decode, encode
from lab.condition import UNCONDITIONAL, condition
from lab.demo import psnr
from lab.rows import SETTINGS
from lab.sample import WEIGHTS, flow_sigmas, load, noise_of, sample
from lab.scenes import CLASSES, draw

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


def test_the_weights_are_small_and_say_how_they_were_trained():
    model, facts = load()
    assert WEIGHTS.stat().st_size <= 12e6
    assert facts["steps"] > 1000
    assert sum(p.numel() for p in model.parameters()) == 3_388_992


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
    reuse, second = (psnr(decode(sample(model, noise, LABELS, sigmas, (Plan(schedule, Predictor(order)),))[0]), decode(samples)) for order in (1, 2))
    assert second > reuse + 3


def test_every_setting_of_the_demo_makes_a_plan():
    timeline = Timeline.flow(flow_sigmas(50))
    assert SETTINGS[0].plans(timeline) == ()
    assert all(len(setting.plans(timeline)) == 1 for setting in SETTINGS[1:])
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def test_the_demo_writes_its_report_and_its_pictures(tmp_path):
    done = subprocess.run([sys.executable, "-m", "lab.demo", "--steps=9", "--pictures=2", "--rounds=1", f"--out={tmp_path}"], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "report.json").read_text())["rows"]
    assert [row["name"] for row in rows] == [setting.name for setting in SETTINGS]
    assert set(rows[0]) == {"name", "model", "steps", "evaluations", "attention_computed", "mlp_computed", "seconds", "speedup", "psnr_db",
                            "relative_l2"}
    assert rows[0]["speedup"] == 1.0
    assert rows[0]["relative_l2"] == 0.0
    assert (tmp_path / "compare.png").stat().st_size > 5000
