"""Profiles beside the plans of a library: listed, shown, checked, pruned by age, and taken from one to another."""

import json
import os
import zipfile
from dataclasses import asdict

import pytest

from cache_core import Timeline
from cache_core.errors import ConfigError
from cache_core.methods.profile import AHEAD
from cache_core.methods.profile_file import (
    MOST_BYTES,
    all_profiles,
    is_profile_name,
    load_profile,
    profile_name,
    save_profile,
)
from cache_core.saved_plan.file import save
from cache_core.saved_plan.saved_plan import Origin, model_plan
from scripts import plans
from tests.methods.profiles import profile

LINE = Timeline.even(10)
PROFILE = profile(LINE)
PLAN = model_plan((0, 1, 3, 9), LINE.sigmas, Origin("Flux", "abc", "euler", 256, 1, "2026-01-01"))
KEY, OTHER = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def folder(tmp_path):
    """A plan and two profiles, of which one is from 2001."""
    path = tmp_path / "plans"
    save(PLAN, path / f"flux_{KEY}.safetensors")
    for key in (KEY, OTHER):
        save_profile(PROFILE, path / profile_name(key))
    os.utime(path / profile_name(OTHER), (1_000_000_000,) * 2)
    (path / f"unlearnable_{KEY}.json").write_text("{}")
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_profile_is_read_as_it_was_written(folder):
    assert load_profile(folder / profile_name(KEY)) == PROFILE


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"7", b"\xff", b'{"sigmas": [1]}'])
def test_another_file_is_no_profile(content, tmp_path):
    path = tmp_path / profile_name(KEY)
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load_profile(path)


def test_a_profile_of_no_steps_is_refused(tmp_path):
    path = tmp_path / profile_name(KEY)
    path.write_text(json.dumps({**dict.fromkeys(asdict(PROFILE), []), "ahead": [[]] * AHEAD}))
    with pytest.raises(ConfigError):
        load_profile(path)


@pytest.mark.parametrize("name", ["profile_../a.json", "profile_a", "a.json", "profile_a\\b.json", "../profile_a.json"])
def test_other_names_are_no_profile_s(name):
    assert is_profile_name(profile_name(KEY))
    assert not is_profile_name(name)


def test_a_link_is_no_profile(folder, tmp_path):
    try:
        (folder / "profile_link.json").symlink_to(folder / profile_name(KEY))
    except OSError:
        pytest.skip("this system makes no links")
    assert [path.name for path in all_profiles(folder)] == [profile_name(KEY), profile_name(OTHER)]


def test_profiles_are_listed_behind_the_plans_newest_first_and_shown(folder, capsys):
    assert plans.main(["list", str(folder)]) == 0
    listed = [f"flux_{KEY}.safetensors", profile_name(KEY), profile_name(OTHER)]
    assert capsys.readouterr().out.splitlines() == listed
    assert plans.main(["show", str(folder), profile_name(KEY)]) == 0
    assert capsys.readouterr().out == "curves of 10 steps, sigma 1 to 0.1\n"


def test_profiles_that_cannot_be_read_are_named(folder, capsys):
    assert plans.main(["verify", str(folder)]) == 0
    assert capsys.readouterr().out == "0 of 1 plans cannot be read, 0 of 2 profiles\n"
    (folder / profile_name(KEY)).write_text("{}")
    assert plans.main(["verify", str(folder)]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{profile_name(KEY)}: This is no profile")
    assert last == "0 of 1 plans cannot be read, 1 of 2 profiles"


def test_profiles_are_pruned_by_age_and_not_by_model(folder, tmp_path, capsys):
    kept = [name for name in names(folder) if name != profile_name(OTHER)]
    assert plans.main(["prune", str(folder), "--days", "30", "--dry-run"]) == 0
    assert len(names(folder)) == 4
    assert plans.main(["prune", str(folder), "--days", "30"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"would delete {profile_name(OTHER)}",
        f"deleted {profile_name(OTHER)}",
    ]
    assert names(folder) == kept
    (tmp_path / "models").mkdir()
    assert plans.main(["prune", str(folder), "--models", str(tmp_path / "models")]) == 0
    assert names(folder) == [profile_name(KEY), f"unlearnable_{KEY}.json"]


def test_profiles_go_with_the_plans_into_an_archive_and_out_of_it(folder, tmp_path):
    archive, there = str(tmp_path / "all.zip"), tmp_path / "there"
    there.mkdir()
    assert plans.main(["export", str(folder), archive]) == 0
    assert plans.main(["import", str(there), archive]) == 0
    assert names(there) == [name for name in names(folder) if not name.startswith("unlearnable_")]
    assert load_profile(there / profile_name(KEY)) == PROFILE


def test_an_archive_brings_no_profile_that_cannot_be_read(tmp_path, capsys):
    there = tmp_path / "there"
    there.mkdir()
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(profile_name(KEY), b"{}")
        file.writestr(profile_name(OTHER), bytes(MOST_BYTES + 1))
        file.writestr(f"../{profile_name(KEY)}", b"{}")
        file.writestr(f"unlearnable_{KEY}.json", b"{}")
    assert plans.main(["import", str(there), str(tmp_path / "bad.zip")]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 files imported, 4 left out"
    assert names(there) == []
