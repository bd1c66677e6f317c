"""A file is whole whenever it is there: two processes that write one name, a reader that is in the way, a process
that died."""

import os
import time
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import pytest
import torch

from cache_core import Timeline
from cache_core.calibrate import Ledger
from cache_core.files import LEFT, TRIES, takes_files, write_atomically

TIMES = 150


class Bench:
    timeline = Timeline.even(8)


def write_and_read(path, letter, found):
    """What another process does: write its own content over and over, and look at what is there."""
    seen = set()
    try:
        for _ in range(TIMES):
            write_atomically(path, letter * 50_000)
            content = path.read_bytes()
            seen.add((len(content), content[:1], len(set(content))))
    except OSError as error:
        seen.add(repr(error))
    found.put(seen)


def test_two_processes_that_write_one_name_both_succeed_and_never_read_half_a_file(tmp_path):
    # Was wrong once (saved_plan.file.save, memo.of): with one name for all, processes deleted each other's part.
    processes, path = get_context("spawn"), tmp_path / "plans" / "p.safetensors"
    found = processes.Queue()
    both = [processes.Process(target=write_and_read, args=(path, letter, found)) for letter in (b"a", b"b")]
    for process in both:
        process.start()
    seen = found.get(timeout=120) | found.get(timeout=120)
    for process in both:
        process.join()
    assert seen <= {(50_000, b"a", 1), (50_000, b"b", 1)}
    assert [file.name for file in path.parent.iterdir()] == ["p.safetensors"]


@pytest.mark.parametrize("refused", [1, TRIES - 1])
def test_a_file_that_somebody_reads_is_replaced_once_it_is_closed(refused, tmp_path):
    path, real = tmp_path / "p", Path.replace
    answers = iter([PermissionError("in use")] * refused)

    def replace(part, target):
        if (error := next(answers, None)) is not None:
            raise error
        return real(part, target)

    with mock.patch.object(Path, "replace", replace), mock.patch("time.sleep") as pauses:
        write_atomically(path, b"new")
    assert (path.read_bytes(), pauses.call_count) == (b"new", refused)


@pytest.mark.parametrize(("error", "pauses"), [(PermissionError("in use"), TRIES - 1), (OSError("disk full"), 0)])
def test_a_write_that_fails_says_so_and_leaves_what_was_there(error, pauses, tmp_path):
    path = tmp_path / "p"
    path.write_bytes(b"old")
    with (
        mock.patch.object(Path, "replace", side_effect=error),
        mock.patch("time.sleep") as paused,
        pytest.raises(OSError, match=str(error)),
    ):
        write_atomically(path, b"new")
    assert paused.call_count == pauses
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("p", b"old")]


def test_parts_of_dead_processes_are_dropped_and_nothing_else(tmp_path):
    now, names = time.time(), {"old": f"a.{'0' * 16}.part", "new": f"b.{'1' * 16}.part", "foreign": "film.part"}
    for name in names.values():
        (tmp_path / name).write_bytes(b"x")
    for name in ("old", "foreign"):
        os.utime(tmp_path / names[name], (now - LEFT - 60,) * 2)
    write_atomically(tmp_path / "p", b"x")
    assert {file.name for file in tmp_path.iterdir()} == {"p", names["new"], names["foreign"]}


def test_a_calibration_goes_on_where_the_disk_takes_nothing_and_says_so(tmp_path, caplog):
    results, ledger = {"x": torch.ones(3)}, Ledger(Bench(), 2.0, tmp_path / "m")
    with mock.patch.object(Path, "replace", side_effect=OSError("disk full")):
        assert ledger.run("some", 1.0, lambda: results) is results
    assert "disk full" in caplog.text


def test_two_processes_that_end_one_calibration_clear_it_both(tmp_path):
    ledger = Ledger(Bench(), 2.0, tmp_path / "m")
    ledger.run("some", 1.0, lambda: {"x": torch.ones(3)})
    (tmp_path / "m" / f"other.{'0' * 16}.part").write_bytes(b"x")
    with mock.patch.object(Path, "unlink", side_effect=FileNotFoundError):  # the other one was faster
        ledger.clear()
    ledger.clear()
    ledger.clear()
    assert not (tmp_path / "m").exists()


def test_a_folder_takes_files_or_not_and_nothing_is_left_there(tmp_path):
    assert takes_files(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("")
    assert not takes_files(tmp_path / "file" / "below")
