"""The soak in short, on a real server: a setting gives the same latent again (all of it: tests/stress/soak.py)."""

import sys
from pathlib import Path

from comfy_models import COMFYUI

from tests.stress.server import serving
from tests.stress.soak import LEARNS, NODES, UNCACHED, failures, soak

PAIRS = [
    ("flux", UNCACHED),
    ("hunyuan_video", "FEB-Cache stage rule, order 2"),
    ("flux", LEARNS),
    ("wan", "both"),
    ("flux", "refused"),
    ("flux", "FEB-Cache balanced"),
]


def test_settings_and_models_in_turn_give_the_same_latents_on_one_server(pack, tmp_path):
    with serving(
        COMFYUI.resolve(),
        sys.executable,
        tmp_path / "comfyui",
        {"cloned": Path(pack.__file__).parent, NODES.name: NODES},
        templates=False,
    ) as url:
        rows = soak(url, [*PAIRS, *PAIRS, ("flux", LEARNS)])
    assert failures(rows) == []
    assert (
        len({row["sha256"] for row in rows if "sha256" in row}) == 5
    )  # learned: the uncached picture first, then another one
