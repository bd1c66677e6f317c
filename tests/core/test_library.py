"""The plan library: what several servers write into one folder is found by its key, whole, and the newest first."""

import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from cache_core import Timeline
from cache_core.saved_plan import library
from cache_core.saved_plan.file import load, save
from cache_core.saved_plan.saved_plan import Origin, model_plan
from scripts import plan_archive, plans

PLAN = model_plan((0, 1, 3, 9), Timeline.even(10).sigmas, Origin("Flux", "abc", "euler", 256, 1, "2026-01-01"))
OTHER = replace(PLAN, drift=0.5)
KEY = "0123456789abcdef"


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "plans"
    path.mkdir()
    return path


def put(folder, name, plan=PLAN, at=None):
    path = folder / f"{name}.safetensors"
    save(plan, path)
    if at is not None:
        os.utime(path, (at, at))
    return path


def test_a_plan_is_found_by_the_key_at_the_end_of_its_name(folder):
    path = put(folder, f"flux_euler_20-steps_{KEY}")
    put(folder, "mine")
    assert library.found([folder], KEY) == [path]
    assert library.found([folder], "another") == []


def test_of_one_key_the_newest_comes_first_and_an_earlier_folder_before_a_later_one(folder, tmp_path):
    old, new = put(folder, f"a_{KEY}", at=1000), put(folder, f"b_{KEY}", at=2000)
    further = put(tmp_path, f"c_{KEY}", at=3000)
    assert library.found([folder, tmp_path], KEY) == [new, old, further]


def test_a_plan_that_another_server_has_just_written_is_found(folder):
    assert library.found([folder], KEY) == []
    path = put(folder, f"a_{KEY}")
    assert library.found([folder], KEY) == [path]
    path.unlink()
    assert library.found([folder], KEY) == []
    assert library.listed(folder) == {}


def test_a_newer_plan_of_a_key_that_is_known_comes_first_as_soon_as_it_is_there(folder):
    old = put(folder, f"a_{KEY}", at=1000)
    assert library.found([folder], KEY) == [old]
    new = put(folder, f"b_{KEY}", at=2000)
    assert library.found([folder], KEY) == [new, old]
    new.unlink()
    assert library.found([folder], KEY) == [old]


def test_of_a_folder_that_has_changed_only_new_names_are_looked_at(folder, monkeypatch):
    for number in range(5):
        put(folder, f"a_{number:016x}")
    library.listed(folder)
    seen, real = [], library.is_name
    monkeypatch.setattr(library, "is_name", lambda name: seen.append(name) or real(name))
    monkeypatch.setattr(library, "load", None)  # nothing is opened
    path = put(folder, f"b_{KEY}")
    (folder / f"a_{0:016x}.safetensors").unlink()
    assert library.found([folder], KEY) == [path]
    assert seen == [path.name]
    assert set(library.listed(folder)) == {KEY, *(f"{number:016x}" for number in range(1, 5))}


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    assert library.all_files([tmp_path / "none"]) == []


def test_of_one_name_in_two_folders_the_first_counts(folder, tmp_path):
    own = put(folder, "mine", at=1000)
    put(tmp_path, "mine", OTHER, at=2000)
    assert library.all_files([folder, tmp_path]) == [own]


def test_readers_never_see_half_a_plan_while_two_processes_write_it(folder):
    code = (
        "import sys; from pathlib import Path; from tests.core.test_library import *\n"
        "for n in range(40): save(PLAN if n % 2 else OTHER, Path(sys.argv[1]))"
    )
    path = put(folder, f"a_{KEY}")
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=Path(__file__).resolve().parents[2])
        for _ in range(2)
    ]
    reads = 0
    while any(writer.poll() is None for writer in writers) or reads < 20:
        assert load(path) in (PLAN, OTHER)
        reads += 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [file.name for file in folder.iterdir()] == [path.name]


def test_old_plans_and_plans_of_models_that_are_gone_are_stale(folder):
    old, new = put(folder, f"flux-dev_euler_{KEY}", at=0), put(folder, f"wan_euler_{KEY}", at=90 * 86400)
    assert library.stale(folder, days=30, now=100 * 86400) == [old]
    assert library.stale(folder, models=["wan"]) == [old]
    assert library.stale(folder, models=["flux-dev", "wan"]) == []
    assert new.exists()


def test_what_is_exported_is_imported_byte_for_byte(folder, tmp_path):
    files = [put(folder, f"a_{KEY}"), put(folder, "mine", OTHER)]
    assert plan_archive.export(files, tmp_path / "all.zip") == 2
    taken, problems = plan_archive.take_in(tmp_path / "all.zip", tmp_path / "there")
    assert (sorted(taken), problems) == (sorted(path.name for path in files), [])
    assert all((tmp_path / "there" / path.name).read_bytes() == path.read_bytes() for path in files)


def test_an_archive_brings_nothing_but_plans_and_only_into_the_folder(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        file.writestr("../outside.safetensors", b"x")
        file.writestr("damaged.safetensors", b"x")
        file.writestr("run.py", b"x")
        file.writestr("large.safetensors", bytes(plan_archive.MOST_BYTES + 1))
    taken, problems = plan_archive.take_in(tmp_path / "bad.zip", folder)
    assert taken == []
    assert [line.split(":")[0] for line in problems] == [
        "../outside.safetensors",
        "damaged.safetensors",
        "run.py",
        "large.safetensors",
    ]
    assert list(folder.iterdir()) == []
    assert not (tmp_path / "outside.safetensors").exists()


def test_a_newer_plan_is_not_replaced_by_an_archive(folder, tmp_path):
    path = put(folder, "mine", at=1_000_000_000)
    plan_archive.export([path], tmp_path / "old.zip")
    put(folder, "mine", OTHER)
    assert plan_archive.take_in(tmp_path / "old.zip", folder)[1] == ["mine.safetensors: a newer one is there"]
    assert load(path) == OTHER


def test_the_command_says_which_files_cannot_be_read(folder, capsys):
    put(folder, "mine")
    (folder / "damaged.safetensors").write_bytes(b"x")
    assert plans.main(["verify", str(folder)]) == 1
    assert "damaged.safetensors" in capsys.readouterr().out
    assert plans.main(["show", str(folder), "mine.safetensors"]) == 0
    assert "Flux" in capsys.readouterr().out


def test_the_command_prunes_after_a_dry_run_has_shown_it(folder, tmp_path, capsys):
    path = put(folder, f"flux-dev_{KEY}")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "wan.safetensors").write_bytes(b"")
    asked = ["prune", str(folder), "--models", str(tmp_path / "models")]
    assert plans.main([*asked, "--dry-run"]) == 0
    assert path.exists()
    assert plans.main(asked) == 0
    assert not path.exists()
    assert capsys.readouterr().out.splitlines() == [f"would delete {path.name}", f"deleted {path.name}"]


@pytest.mark.parametrize("asked", [["list", "nowhere"], ["show", ".", "none.safetensors"], ["import", ".", "none.zip"]])
def test_a_folder_or_file_that_is_not_there_is_named(asked, capsys):
    assert plans.main(asked) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
