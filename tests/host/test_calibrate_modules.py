"""Cache Calibrate for attention and MLP, in a real ComfyUI."""

import pytest
import torch
from test_calibrate import apart, calibrate, sampled  # noqa: F401 (a fixture)
from test_learning import model  # noqa: F401 (fixtures)
from tiny import TINY
from work_clock import work_clock  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("plans")


def test_attention_and_mlp_are_calibrated_too(pack, model, calibrate, feb, work_clock):  # noqa: F811
    plan, report, curves = calibrate(
        model, site="attention and MLP", target_speedup=1.8, samples=2, calibration_budget=26
    )
    cached, mailbox = feb(model, plan=plan)
    plain = sampled(model, 3)
    assert apart(sampled(cached, 3), plain) < 0.2
    assert mailbox.latest.shares["attention"] < 0.6
    assert "the last picture learned from: PSNR of about" in report
    assert "a step that reuses attention takes" in report
    assert curves.shape[1] == 16 + 2 * 78 + 5 * 280
    picture = pack.NODE_CLASS_MAPPINGS["CacheReport"]().read({}, mailbox)["result"][2]
    assert picture.shape[1] == 16 + 20 + 2 * 78 + 4 * 280  # the line of words, the steps, and the plan's error curves
    assert torch.equal(sampled(model, 3), plain)


def test_attention_and_mlp_are_planned_for_a_drift_too(model, calibrate, work_clock):  # noqa: F811
    plan, report, _ = calibrate(model, site="attention and MLP", target_drift=0.1, samples=1, calibration_budget=20)
    assert plan.drift <= 0.1
    assert plan.speedup > 1.2
    assert "no plan comes as near" not in report


@pytest.mark.parametrize(
    ("asked", "message"),
    [({"calibration_budget": 4}, "allowed is 12"), ({"site": "elsewhere"}, "model output, attention and MLP")],
)
def test_what_cannot_be_asked_of_attention_and_mlp_is_refused(model, calibrate, asked, message):  # noqa: F811
    with pytest.raises(ValueError, match=message):
        calibrate(model, **{"site": "attention and MLP", **asked})


def test_blocks_that_cannot_be_taken_apart_are_not_calibrated(calibrate):  # noqa: F811
    with pytest.raises(TypeError, match=r"CogVideoX.*cannot be told apart.*'model output'"):
        calibrate(TINY["cogvideox"].build(), site="attention and MLP")
