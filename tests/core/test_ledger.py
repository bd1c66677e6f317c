"""Budget, memory and progress of a calibration."""

import pytest
import torch

from cache_core import Timeline
from cache_core.calibrate import Ledger
from cache_core.calibrate.ledger import clear_results

STEPS = 10


class Bench:
    """Ten evaluations for each sampling."""

    timeline = Timeline.even(STEPS)

    def sample(self, number, plans=(), watch=None):
        for sigma in self.timeline.sigmas[:-1]:
            watch.begin(sigma, torch.zeros(1))
            watch.end(torch.zeros(1))
        return torch.full((1,), float(number))


def ledger(total=2.0, folder=None, told=None):
    return Ledger(Bench(), total, folder, (lambda *row: told.append(row)) if told is not None else lambda *row: None)


def sampling(book, number=0):
    return book.run(f"recording {number}", 1.0, lambda: {"x": book.sample(number)}, number)


def test_a_sampling_is_paid_once_and_what_is_left_is_what_can_be_paid():
    book = ledger()
    for _ in range(2):
        assert sampling(book, 3)["x"] == 3
    assert book.spent == 1.0
    assert book.affords(1.0)
    assert not book.affords(1.01)
    assert not book.affords(0.5, share=0.7)


def test_progress_rises_evaluation_by_evaluation_and_says_what_is_done():
    told = []
    book = ledger(4.0, told=told)
    book.run("fitting", 2.0, lambda: {"x": book.sample(0) + book.sample(1)}, samplings=2)
    shares = [share for share, _ in told]
    assert len(shares) == 2 * STEPS + 1
    assert shares == pytest.approx([i / (4 * STEPS) for i in range(2 * STEPS + 1)])
    assert {doing for _, doing in told} == {"fitting"}


def test_results_are_read_again_at_the_same_price_and_damaged_ones_are_made_again(tmp_path):
    folder = tmp_path / "of" / "this"
    for _ in range(2):
        book = ledger(folder=folder)
        assert sampling(book)["x"] == 0
        assert book.spent == 1.0
    (kept,) = folder.glob("recording_*.safetensors")
    book.bench.sample = None  # nothing is sampled
    assert sampling(ledger(folder=folder))["x"] == 0
    kept.write_bytes(b"half a fi")
    assert sampling(ledger(folder=folder))["x"] == 0
    assert kept.stat().st_size > 20
    book.clear()
    assert not folder.exists()


def test_another_key_is_another_result(tmp_path):
    book = ledger(folder=tmp_path)
    assert [sampling(book, number)["x"].item() for number in (0, 1, 0)] == [0, 1, 0]
    assert (book.spent, len(list(tmp_path.iterdir()))) == (2.0, 2)


def test_only_results_are_deleted(tmp_path):
    (tmp_path / "other.txt").touch()
    sampling(ledger(folder=tmp_path))
    clear_results(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]
