"""docs/MIGRATION.md names settings that exist: ours in our nodes, EasyCache's and LazyCache's in ComfyUI's own."""

import os
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "MIGRATION.md").read_text(encoding="utf-8")
COMFYUI = Path(os.environ.get("COMFYUI_DIR") or Path.home() / "comfy-lab" / "ComfyUI")
EASYCACHE = COMFYUI / "comfy_extras" / "nodes_easycache.py"


def settings(heading: str) -> dict[str, tuple[str, str]]:
    """Default and counterpart of each setting in the table below a heading that starts so."""
    part = PAGE.split(f"\n## {heading}")[1].split("\n## ")[0]
    found = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]*) \| ([^|]*) \|", part, re.MULTILINE)
    return {name: (default, ours) for names, default, ours in found for name in re.findall(r"\w+", names)}


@pytest.mark.parametrize("rival", ["EasyCache", "TeaCache", "MagCache", "First Block Cache"])
def test_what_a_setting_corresponds_to_is_an_input_of_ours(pack, rival):
    inputs = {
        name
        for node in ("ABCacheApply", "FEBCacheApply")
        for part in pack.NODE_CLASS_MAPPINGS[node].INPUT_TYPES().values()
        for name in part
    }
    theirs = settings(rival)
    assert theirs
    for _, ours in theirs.values():
        assert {*re.findall(r"`(\w+)`", ours)} <= inputs | theirs.keys()


def test_easycache_has_these_settings_with_these_defaults():
    if not EASYCACHE.is_file():
        pytest.skip(f"no ComfyUI at {COMFYUI} (set COMFYUI_DIR)")
    real = re.findall(
        r'io\.(?:Float|Boolean)\.Input\("(\w+)",.*?default=([\w.]+)', EASYCACHE.read_text(encoding="utf-8")
    )
    listed = {name: default.replace("off", "False") for name, (default, _) in settings("EasyCache").items()}
    assert real == 2 * [*listed.items()]  # LazyCache has the same
