"""The lab's models, their pictures and the demo: small, but the ground that every number in the README stands on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from cache_core import OUTPUT, Extrapolation, Kind, Plan, Steps, Timeline, evenly
from lab.codec import decode, encode
from lab.condition import UNCONDITIONAL, condition
from lab.demo import psnr
from lab.families import DRAWINGS, FLUX, HUNYUAN_VIDEO
from lab.rows import CLEAR, SETTINGS, demo_settings, seeds_of
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


@pytest.mark.parametrize(
    ("family", "parameters"), [(FLUX, 3_388_992), (DRAWINGS, 3_388_992), (HUNYUAN_VIDEO, 4_017_984)]
)
def test_the_weights_are_small_and_say_how_they_were_trained(family, parameters):
    model, facts = load(family)
    assert family.weights.stat().st_size <= 12e6
    assert facts["steps"] + facts.get("before", 0) > 1000
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


def test_the_demo_s_settings_are_of_equal_work_where_they_say_so():
    settings = {setting.name: setting for setting in demo_settings(24)}
    timeline = Timeline.flow(flow_sigmas(24))
    reuse = settings["plain reuse, equal work"].plans(timeline)[0]
    assert settings["fewer steps, equal work"].steps == len(reuse.schedule.table(timeline).computed(Kind.MODEL)) == 8
    assert [setting.name for setting in settings.values() if setting.shown] == [
        "uncached",
        "AB-Cache balanced, learned",
        "FEB-Cache balanced, learned",
        "fewer steps, equal work",
        "plain reuse, equal work",
    ]


def test_the_demo_takes_each_seed_once():
    assert seeds_of(FLUX, 4) == [0, 1, 2, 3]
    assert seeds_of(DRAWINGS, len(CLEAR)) == list(CLEAR)
    assert seeds_of(DRAWINGS, len(CLEAR) + 3) == [*CLEAR, 0, 1, 2]


def demo(folder: Path, *arguments: str) -> list[dict]:
    command = [sys.executable, "-m", "lab.demo", *arguments, "--pictures=2", "--rounds=1", f"--out={folder}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "report.json").read_text())["rows"]


@pytest.mark.parametrize(("family", "frames"), [(DRAWINGS, 1), (HUNYUAN_VIDEO, 8)])
def test_the_demo_writes_its_report_and_its_picture(tmp_path, family, frames):
    rows = demo(tmp_path, f"--model={family.name}", "--steps=15")
    assert [row["name"] for row in rows] == [setting.name for setting in demo_settings(15)]
    found = {row["name"]: row for row in rows}
    assert found["uncached"]["speedup"] == 1.0
    assert found["uncached"]["relative_l2"] == 0.0
    assert found["AB-Cache balanced, learned"]["evaluations"] in (5, 10)  # 10 where 5 would drift too far
    assert {found[f"{name}, equal work"]["evaluations"] for name in ("fewer steps", "plain reuse")} == {5}
    assert [row["name"] for row in rows if row["first_picture"]] == [
        setting.name for setting in demo_settings(15) if setting.learn
    ]
    with Image.open(tmp_path / ("compare.webp" if frames > 1 else "compare.png")) as shown:
        assert getattr(shown, "n_frames", 1) == frames


def test_the_demo_tabulates_presets_and_widgets(tmp_path):
    rows = demo(tmp_path, "--widgets", "--model=flux", "--steps=9")
    assert [row["name"] for row in rows] == [setting.name for setting in SETTINGS]
    assert not list(tmp_path.glob("compare.*"))
