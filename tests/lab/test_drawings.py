"""The lab's FLUX of drawings: its weights, its code, and what the demo shows of it."""

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from lab.codec import decode
from lab.decoder import WEIGHTS, compressed, drawing, linear
from lab.drawings import NAMES, as_values, kinds
from lab.families import DRAWINGS, FLUX
from lab.rows import Setting
from lab.sample import flow_sigmas, load, noise_of, sample
from lab.scenes import CLASSES
from lab.sheet import GAP, HEAD, MARGIN, TIMES, ZOOM, contact_sheet


@pytest.fixture(scope="module")
def latents():
    return sample(load(DRAWINGS)[0], noise_of([0, 1, 2, 3]), torch.arange(4), flow_sigmas(12), guidance=3.0)[0]


def test_the_weights_have_the_names_and_shapes_of_the_scenes_model():
    own, scenes = load_file(DRAWINGS.weights), load_file(FLUX.weights)
    assert {name: value.shape for name, value in own.items()} == {name: value.shape for name, value in scenes.items()}
    assert DRAWINGS.weights.stat().st_size + WEIGHTS.stat().st_size <= 12e6


def test_there_is_a_kind_for_each_class_and_the_licence_lies_beside():
    assert len(kinds()) == len(CLASSES)
    names = [name for own in kinds().values() for name in own]
    assert len(names) == len(set(names))
    licence = (NAMES.parent / "FLUENT_EMOJI_LICENSE.txt").read_text()
    assert "MIT License" in licence
    assert "Copyright (c) Microsoft Corporation." in licence
    assert DRAWINGS.weights.name in licence


def test_the_linear_code_of_drawings_loses_nothing_that_it_kept(latents):
    torch.testing.assert_close(compressed(linear(latents)), latents, atol=1e-3, rtol=1e-3)
    assert not torch.equal(linear(latents), decode(latents))


def test_the_decoder_draws_clearer_edges_than_the_linear_code(latents):
    """Few steps between neighbours, and those large: more of their squares in the largest twentieth."""

    def clearness(pictures: torch.Tensor) -> float:
        steps = torch.cat([pictures.diff(dim=dim).flatten() for dim in (-1, -2)]).square().sort().values
        return float(steps[-len(steps) // 20 :].sum() / steps.sum())

    assert clearness(drawing(latents)) > clearness(linear(latents)) + 0.02


def test_a_drawing_stands_on_an_even_light_ground(latents):
    corners = drawing(latents)[..., :3, :3].flatten(2)
    assert corners.mean(2).min() > 0
    assert corners.std(2).max() < 0.1


def test_bytes_become_values():
    assert as_values(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def test_the_picture_shows_each_difference_times_eight():
    plain = torch.zeros(2, 3, 64, 64)
    rows = [{"psnr_db": value, "name": "a row", "attention_computed": 1, "speedup": 1} for value in (None, 30.0)]
    rows = [{**row, "evaluations": 8, "steps": 24} for row in rows]
    shown = Setting("a row", shown=True)
    measured = [
        SimpleNamespace(setting=shown, pictures=plain),
        SimpleNamespace(setting=shown, pictures=plain + 0.1),
        SimpleNamespace(setting=Setting("not shown"), pictures=plain),
    ]
    sheet = contact_sheet(measured, [*rows, rows[1]])
    edge = 64 * ZOOM
    assert sheet.height == HEAD + 2 * (edge + GAP)
    middle = HEAD + edge + GAP + edge // 2
    assert sheet.getpixel((MARGIN + edge // 2, middle)) == (140,) * 3
    assert sheet.getpixel((MARGIN + edge + edge // 2, middle)) == (round(255 * 0.05 * TIMES),) * 3
    assert sheet.getpixel((MARGIN + edge + edge // 2, HEAD + edge // 2)) == (255,) * 3


def test_the_album_gives_each_kind_its_own(monkeypatch):
    """Without npm: drawings of one grey each."""
    import lab.drawings as drawings

    def drawn(times: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.tensor([0] * 2 * times + [1] * times)
        return (labels * 255).byte().view(-1, 1, 1, 1).expand(-1, 3, 64, 64), labels

    monkeypatch.setattr(drawings, "drawn", drawn)
    labels = torch.tensor([1, 0, 0, 1])
    found = drawings.Album(3).of(labels, torch.Generator().manual_seed(0))
    assert found.mean((1, 2, 3)).tolist() == [1.0, -1.0, -1.0, 1.0]
