"""scripts/learn.py in a real ComfyUI: plans without a page."""

import json
import subprocess
import sys
from collections import Counter

import pytest
from comfy_models import COMFYUI
from fleet import ROOT, base, chain, command, environment, learn, plans, put, workflow


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A folder in which two workflows have been learned, with what the run said."""
    folder = tmp_path_factory.mktemp("fleet")
    files = put(folder, one=workflow(), two=chain())
    return folder, files, learn(folder, *files, "--plans", folder / "plans", "--matrix", "size=64x64,128x128")


def test_each_sampler_and_size_gets_a_plan_and_samplings_that_are_alike_share_one(learned):
    folder, _, (status, said, report) = learned
    assert status == 0, said
    assert report["counts"] == {
        "learned": 4,
        "known": 2,
    }  # the first sampler of the chain is that of the other workflow
    assert len(plans(folder / "plans")) == 4
    assert {row["file"] for row in report["plans"]} == set(plans(folder / "plans"))


def test_a_second_run_samples_nothing_and_learns_what_is_missing(learned):
    folder, files, _ = learned
    before = plans(folder / "plans")
    gone = sorted(before)[0]
    (folder / "plans" / gone).unlink()
    both = ("--plans", folder / "plans", "--matrix", "size=64x64,128x128")
    status, said, report = learn(folder, *files, *both, "--dry-run")
    assert (status, report["counts"]["would be learned"] >= 1) == (0, True), said
    assert gone not in plans(folder / "plans")
    assert "about" in said
    status, said, report = learn(folder, *files, *both)
    assert (status, report["counts"]) == (0, {"learned": 1, "known": 5}), said
    assert plans(folder / "plans") == before  # a plan does not depend on what was learned before it


def test_a_plan_is_that_which_comfyui_would_learn_in_passing(learned, tmp_path):
    """The script learns from the same picture as a queue does."""
    folder, files, _ = learned
    code = (
        "import sys; from pathlib import Path; sys.path.append(sys.argv[1]); import json\n"
        "from scripts.fleet.comfy_process import ComfyProcess\n"
        "process = ComfyProcess(Path(sys.argv[2]), Path(sys.argv[3]), ['--base-directory', sys.argv[4]])\n"
        "process._executor.execute(json.loads(Path(sys.argv[5]).read_text()), 'queue', {}, ['4'])\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(ROOT), str(COMFYUI), str(tmp_path), str(base(folder)), str(files[0])],
        env=environment(),
        check=True,
        capture_output=True,
    )
    ((name, content),) = plans(tmp_path).items()
    assert plans(folder / "plans")[name] == content


def test_more_pictures_and_samplers_without_a_node(tmp_path):
    files = put(tmp_path, bare=workflow(preset=""))
    asked = (*files, "--everywhere", "--speedup", 2, "--pictures", 3)
    status, said, report = learn(tmp_path, *asked, "--plans", tmp_path / "three")
    assert (status, report["counts"]) == (0, {"learned": 1}), said
    from cache_core.saved_plan.file import load

    (path,) = (tmp_path / "three").glob("*.safetensors")
    plan = load(path)
    assert plan.origin.samples == 3
    assert plan.speedup == 2.0


def test_an_interrupt_keeps_what_is_done(tmp_path):
    once = tmp_path / "once"
    once.touch()
    mishap = ("Mishap", {"once": str(once), "signal": 2})
    files = put(tmp_path, first=workflow(), second=workflow("wan", between=mishap), third=workflow(cfg=1.0))
    status, said, report = learn(tmp_path, *files, "--plans", tmp_path / "plans")
    assert (status, report["counts"]) == (130, {"learned": 2, "left": 1}), said  # FLUX's two come first
    kept = plans(tmp_path / "plans")
    status, said, report = learn(tmp_path, *files, "--plans", tmp_path / "plans")
    assert (status, report["counts"]) == (0, {"learned": 1, "known": 2}), said
    assert kept.items() <= plans(tmp_path / "plans").items()


def test_an_error_of_one_plan_is_reported_and_the_others_are_learned(tmp_path):
    once = tmp_path / "once"
    once.touch()
    files = put(tmp_path, bad=workflow(between=("FullOnce", {"once": str(once)})), good=workflow(cfg=1.0))
    status, said, report = learn(tmp_path, *files, "--plans", tmp_path / "plans")
    assert (status, report["counts"]) == (1, {"error": 1, "learned": 1}), said
    assert "the device is full" in said


BAD = {
    "no_sampler": ({"1": {"class_type": "SoakModel", "inputs": {"family": "flux"}}}, "no sampler"),
    "no_such_node": (workflow(between=("NodeOfAnotherPack", {})), "no node NodeOfAnotherPack"),
    "no_such_file": (
        workflow(between=("LoraLoaderModelOnly", {"lora_name": "x", "strength_model": 1.0})),
        "LoraLoader",
    ),
    "no_node_of_ours": (workflow(preset=""), "--everywhere"),
    "no_workflow": ({"a": 1}, "no workflow"),
    "damaged": ({"nodes": [{"id": 1, "type": "KSampler", "inputs": [{"link": 1}]}], "links": [[1]]}, "damaged"),
}


def test_bad_workflows_are_one_line_each_before_anything_is_sampled(tmp_path):
    code = (
        "import sys; from pathlib import Path; sys.path.append(sys.argv[1])\n"
        "from scripts import learn; from scripts.fleet.errors import InputError\n"
        "from scripts.fleet.comfy_process import ComfyProcess\n"
        "process = ComfyProcess(Path(sys.argv[2]), Path(sys.argv[3]), ['--base-directory', sys.argv[4]])\n"
        "for arguments in map(str.split, sys.argv[5:]):\n"
        "    try:\n        print(len(learn.tasks(learn.parsed(arguments), process)))\n"
        "    except InputError as error:\n        print(error)\n"
    )
    files = put(tmp_path, **{name: content for name, (content, _) in BAD.items()}, good=workflow())
    good = str(files[-1])
    asked = [str(path) for path in files[:-1]]
    asked += [f"{good} --speedup 5", f"{good} --matrix size=big", f"{good} --matrix nothing=1", f"{good} --matrix size"]
    asked += [f"{good} --matrix lora=x:1"]
    said = subprocess.run(
        [sys.executable, "-c", code, str(ROOT), str(COMFYUI), str(tmp_path), str(base(tmp_path)), *asked],
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    hints = [hint for _, hint in BAD.values()]
    hints += ["its speed-ups are 2 (quality), 3 (balanced), 4 (fast)", "size=big", "no node", "names no values", "Lora"]
    assert len(said) == len(asked)
    for line, hint in zip(said, hints, strict=True):
        assert hint in line


def test_bad_input_ends_with_status_2_and_one_line(tmp_path):
    (file,) = put(tmp_path, bad=BAD["no_sampler"][0])
    done = subprocess.run(
        command(tmp_path, file, "--plans", tmp_path), env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 2
    assert Counter(line.split(":")[0] for line in done.stderr.splitlines())[str(file)] == 1
    assert done.stderr.splitlines()[-1].startswith(str(file))


def test_the_report_names_each_plan(learned):
    _, _, (_, said, report) = learned
    for row in report["plans"]:
        assert f"{row['result']}: {row['name']}" in said
    assert json.dumps(report)
