"""scripts/learn.py on a Ray cluster of this machine: the same plans, whatever happens to its processes."""

import signal
import subprocess
import time
from contextlib import suppress

import pytest
from fleet import command, environment, learn, plans, put, workflow

pytest.importorskip("ray", reason="the package ray is not installed")
RAY = ("--ray", "local", "--workers", 2)
SIX = {
    "euler": workflow(),
    "dpmpp": workflow(sampler="dpmpp_2m"),
    "unguided": workflow(cfg=1.0),
    "fast": workflow(preset="fast"),
    "wan": workflow("wan"),
    "hunyuan": workflow("hunyuan_video"),
}
SIZES = ("--matrix", "size=64x64,128x128")


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """The folder of six workflows, and the plans that were learned one after the other."""
    folder = tmp_path_factory.mktemp("serial")
    files = put(folder, **SIX)
    status, said, report = learn(folder, *files, "--plans", folder / "plans", *SIZES)
    assert (status, report["counts"]) == (0, {"learned": 12}), said
    return files, plans(folder / "plans")


def test_plans_are_the_same_byte_for_byte(serial, tmp_path):
    files, expected = serial
    status, said, report = learn(tmp_path, *files, "--plans", tmp_path / "plans", *SIZES, *RAY)
    assert (status, report["counts"]) == (0, {"learned": 12}), said
    assert plans(tmp_path / "plans") == expected


def test_a_process_that_is_killed_costs_one_more_try(serial, tmp_path):
    _, expected = serial
    once = tmp_path / "once"
    once.touch()
    killed = workflow("wan", between=("Mishap", {"once": str(once), "signal": int(signal.SIGKILL)}))
    files = put(tmp_path, **{**SIX, "wan": killed})
    status, said, report = learn(tmp_path, *files, "--plans", tmp_path / "plans", *SIZES, *RAY)
    assert (status, report["counts"]) == (0, {"learned": 12, "tried again": 1}), said
    assert plans(tmp_path / "plans") == expected


def test_a_full_device_is_tried_elsewhere(tmp_path):
    once = tmp_path / "once"
    once.touch()
    files = put(tmp_path, full=workflow(between=("FullOnce", {"once": str(once)})), other=workflow("wan"))
    status, said, report = learn(tmp_path, *files, "--plans", tmp_path / "plans", *RAY)
    assert (status, report["counts"]) == (0, {"learned": 2, "tried again": 1}), said


def test_a_process_that_always_dies_is_reported_after_three_tries_and_nothing_else_is_lost(tmp_path):
    never = put(tmp_path, x="")[0]
    bad = workflow(between=("Mishap", {"once": str(never), "signal": int(signal.SIGKILL), "keep": True}))
    files = put(tmp_path, bad=bad, good=workflow("wan"))
    status, said, report = learn(tmp_path, *files, "--plans", tmp_path / "plans", *RAY)
    assert (status, report["counts"]) == (1, {"error": 1, "learned": 1, "tried again": 1}), said
    assert next(row["tries"] for row in report["plans"] if row["result"] == "error") == 3


def test_a_driver_that_is_interrupted_goes_on_with_what_is_missing(serial, tmp_path):
    files, expected = serial
    asked = (*files, "--plans", tmp_path / "plans", *SIZES, *RAY)
    driver = subprocess.Popen(
        command(tmp_path, *asked),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs in the background ignore it
    )
    until = time.monotonic() + 300
    while not plans(tmp_path / "plans") and driver.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        driver.send_signal(signal.SIGINT)
    said = driver.communicate(timeout=120)[0]
    kept = plans(tmp_path / "plans")
    assert 0 < len(kept) < 12, said
    assert driver.returncode == 130, said
    status, said, report = learn(tmp_path, *asked)
    assert (status, report["counts"]) == (0, {"learned": 12 - len(kept), "known": len(kept)}), said
    assert plans(tmp_path / "plans") == expected


def test_a_cluster_that_does_not_answer_is_one_line(tmp_path):
    files = put(tmp_path, one=workflow())
    for address in ("auto", "127.0.0.1:9", "nowhere"):
        status, said, _ = learn(tmp_path, *files, "--plans", tmp_path / "plans", "--ray", address)
        assert status == 2
        assert said.splitlines()[-1].startswith(f"--ray {address}: no cluster answers")
