"""A short run of tests/stress/fuzz.py, and the bugs that the long one found."""

import asyncio
import os
import sys
from pathlib import Path
from unittest import mock

import pytest
from safetensors.torch import save_file

pytest.importorskip("hypothesis")  # of requirements-dev.txt; scripts/test.py sees that it is there
from tests.stress.fuzz import Fuzz, of_pack
from tests.stress.fuzz_plans import CHANGES, damaged

LINKS = pytest.mark.skipif(os.name == "nt", reason="links need rights that Windows users lack")


@pytest.fixture
def library(pack):
    return of_pack(pack, "nodes.comfy.plan_folder")


@LINKS
@pytest.mark.filterwarnings("ignore:BComplex32")  # of torch 2.14, about a type that is tried, too
@pytest.mark.parametrize(
    ("group", "fewest"), [("plan files", 480), ("plan names", 1000), ("preview requests", 100), ("node widgets", 100)]
)
def test_every_input_is_answered_with_a_result_or_with_words(pack, tmp_path, group, fewest):
    fuzz = Fuzz(pack, tmp_path)
    with mock.patch.object(fuzz.library, "folders", return_value=[fuzz.folder]):
        tally = {
            "plan files": lambda: fuzz.plan_files(480),
            "plan names": fuzz.plan_names,
            "preview requests": lambda: fuzz.requests(100),
            "node widgets": lambda: fuzz.widgets(100),
        }[group]()
    assert tally.failures == []
    assert tally.tried >= fewest
    assert 0 < tally.accepted < tally.tried


def test_the_same_seed_is_the_same_file_and_every_change_comes():
    assert [damaged(seed) for seed in range(30)] == [damaged(seed) for seed in range(30)]
    assert {damaged(seed)[0] for seed in range(len(CHANGES))} == {change.__name__ for change in CHANGES}


@pytest.mark.parametrize(
    "name",
    [
        "C:x",
        "x:stream",
        "a\\b",
        "nul",
        "COM1",
        "con.x",
        "a\x00b",
        "x\n",
        "\ud800",
        "\u202eplan",
        "é" * 150,
        "..",
        ".hidden",
    ],
)
def test_a_name_that_some_system_reads_as_more_than_a_name_is_refused(pack, library, name):
    with pytest.raises(ValueError, match="no name of a plan"):
        library.path_of(f"{name}.safetensors")
    with pytest.raises(ValueError, match="no name of a plan"):
        library.read(name)


@LINKS
def test_a_link_is_neither_listed_nor_read_nor_written_through(library, tmp_path, pack):
    folder, outside = tmp_path / "plans", tmp_path / "outside.safetensors"
    folder.mkdir()
    (bundled,) = pack.NODE_CLASS_MAPPINGS["CachePlanLoad"]().load("bundled/flux_feb_released.safetensors")
    library.save(bundled, outside)
    (folder / "x.safetensors").symlink_to(outside)
    (folder / f"y.{16 * 'a'}.part").symlink_to(outside)  # of a process that died long ago
    before = outside.read_bytes()
    with mock.patch.object(library, "folders", return_value=[folder]):
        assert not [name for name in library.available() if not name.startswith("bundled/")]
        for work in (library.read, lambda name: pack.NODE_CLASS_MAPPINGS["CachePlanSave"]().save(bundled, name)):
            with pytest.raises(ValueError, match="is a link"):
                work("x.safetensors")
        with mock.patch("time.time", return_value=2**40):
            pack.NODE_CLASS_MAPPINGS["CachePlanSave"]().save(bundled, "y")
    assert outside.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["x.safetensors", "y.safetensors"]


@LINKS
def test_what_an_old_calibration_has_left_is_dropped_and_never_through_a_link(library, tmp_path):
    folder, weights = tmp_path / "plans", tmp_path / "checkpoints"
    for place in (folder / "unfinished_old", weights):
        place.mkdir(parents=True)
        save_file({}, place / "x.safetensors")
        os.utime(place, (0, 0))
    (folder / "unfinished_link").symlink_to(weights)
    with mock.patch.object(library, "folders", return_value=[folder]):
        assert library.unfinished("new") == folder / "unfinished_new"
        assert (weights / "x.safetensors").is_file()
        assert not (folder / "unfinished_old").exists()
        with pytest.raises(ValueError, match="is a link"):
            library.unfinished("link")


def test_a_plan_that_the_disk_does_not_take_is_kept_until_comfyui_ends_and_a_save_says_why(library, pack, tmp_path):
    # Was wrong once (saved_plan.file.save): nobody caught the error that is safetensors' own, so the plan was lost.
    (plan,) = pack.NODE_CLASS_MAPPINGS["CachePlanLoad"]().load("bundled/flux_feb_released.safetensors")
    (tmp_path / "plans").write_text("a file where the folder should be")
    with mock.patch.object(library, "folders", return_value=[tmp_path / "plans"]):
        library.keep("some", plan)
        assert library.learned("some") == plan
        with pytest.raises(ValueError, match=r"mine\.safetensors could not be saved"):
            pack.NODE_CLASS_MAPPINGS["CachePlanSave"]().save(plan, "mine")
    del library._unsaved["some"]


def test_a_save_that_fails_leaves_the_plan_that_was_there(library, pack, tmp_path):
    (plan,) = pack.NODE_CLASS_MAPPINGS["CachePlanLoad"]().load("bundled/flux_feb_released.safetensors")
    path = tmp_path / "p.safetensors"
    library.save(plan, path)
    with (
        mock.patch.object(Path, "replace", side_effect=OSError("disk full")),
        pytest.raises(OSError, match="disk full"),
    ):
        library.save(plan, path)
    assert library.load(path) == plan
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("widget", [{"computed_steps": "0-9999," * 9000}, {"computed_steps": "0" + ",0-9999" * 3}])
def test_a_list_that_names_the_same_steps_over_and_over_is_refused_before_it_is_read_through(pack, widget):
    settings = of_pack(pack, "cache_core.settings").ABSettings
    with pytest.raises(ValueError, match="Name each step once"):
        settings.of("custom", {"computed_steps": "0-9999"} | widget)
    assert settings.of("custom", {"computed_steps": "0-9999"})


def test_edits_that_name_the_same_steps_over_and_over_are_refused(pack):
    settings = of_pack(pack, "cache_core.settings").FEBSettings
    with pytest.raises(ValueError, match="Name each step once"):
        settings.of("custom", {"edited_steps": "compute both 0-9999;" * 3000})
    assert settings.of("custom", {"edited_steps": "compute both 0-9999"})


@pytest.mark.parametrize("text", ["compute", "reuse both 0", "compute both 9-1"])
def test_edits_that_cannot_be_are_refused_by_the_node_and_not_later_by_the_sampler(pack, text):
    with pytest.raises(ValueError, match=r"step"):
        of_pack(pack, "cache_core.settings").FEBSettings.of("custom", {"edited_steps": text})


def test_a_request_is_read_no_further_than_allowed_whatever_it_says_of_its_length(pack):
    routes = of_pack(pack, "nodes.page.routes")

    async def read(sent):
        stream = asyncio.StreamReader()
        stream.feed_data(b"x" * sent)
        stream.feed_eof()
        return len(await routes.beginning(stream, 100))

    assert [asyncio.run(read(sent)) for sent in (0, 99, 100, 5000)] == [0, 99, 100, 100]


def test_a_number_that_is_too_large_for_its_widget_is_refused_with_words(pack):
    answer = sys.modules[f"{pack.__name__}.nodes.page.routes"].answer
    status, found = answer(b'{"class": "FEBCacheApply", "widgets": {"stage_boundary": 1' + b"0" * 400 + b"}}")
    assert (status, "must be a float" in found["error"]) == (400, True)
