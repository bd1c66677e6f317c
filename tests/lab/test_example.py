"""The example runs by itself, on one screen, and prints a picture near the uncached one for fewer runs of the model."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = "docs/engine_in_one_screen.py"


@pytest.fixture(scope="module")
def printed():
    done = subprocess.run([sys.executable, "-B", EXAMPLE], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def test_it_fits_on_one_screen():
    assert len((ROOT / EXAMPLE).read_text(encoding="utf-8").splitlines()) <= 60


def test_the_model_runs_at_the_steps_that_the_plan_computes_and_at_no_other(printed):
    strip = printed["plan"].split()[0]
    without, ran = map(int, re.findall(r"\d+", printed["model ran"]))
    assert (len(strip), strip.count("#")) == (without, ran) == (50, 20)
    assert f"model ran in {ran} of {without} evaluations" in printed["report"]


def test_a_prediction_is_a_sum_of_past_computed_steps_whose_weights_sum_to_one(printed):
    step = int(re.search(r"step (\d+) =", printed["prediction"])[1])
    terms = re.findall(r"([+-][\d.]+) x step (\d+)", printed["prediction"])
    strip = printed["plan"].split()[0]
    assert strip[step] == "."
    assert all(strip[int(past)] == "#" and int(past) < step for _, past in terms)
    assert sum(float(weight) for weight, _ in terms) == pytest.approx(1)


def test_the_latents_are_near_the_uncached_ones_and_not_the_same(printed):
    assert 0 < float(printed["distance"].split(",")[0]) < 0.05
