"""What the page's scripts may do: import the page's app, and nothing that reaches out of the page or writes to its console."""

import re
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "web" / "js").glob("*.js"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_imports_only_the_app_and_reaches_for_nothing_else(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r'\bfrom "(.+?)"|\bimport\(', text) == ["../../../scripts/app.js"]
    assert not re.findall(r"https?:|\bfetch\b|XMLHttpRequest|WebSocket|\bapi\b|\bconsole\.|\beval\b|innerHTML", text)
