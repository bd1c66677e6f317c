"""What the page's scripts may do: import the page's app, and nothing that reaches out of the page or writes to its
console."""

import json
import re
from pathlib import Path

import pytest

LOCALES = Path(__file__).resolve().parents[2] / "locales"
SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "web" / "js").glob("*.js"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_imports_only_the_page_and_its_siblings_and_reaches_for_nothing_else(path):
    text = path.read_text(encoding="utf-8")
    page = {"../../../scripts/app.js", "../../../scripts/api.js", *(f"./{script.name}" for script in SCRIPTS)}
    assert {a or b for a, b in re.findall(r'\bfrom "(.+?)"|\bimport\((.*?)\)', text)} <= page
    assert not re.findall(
        r"https?:(?!//www\.w3\.org/2000/svg)|\bfetch\b|XMLHttpRequest|WebSocket|\bconsole\.|\beval\b|innerHTML|getContext",
        text,
    )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_asks_only_the_routes_of_the_pack(path):
    text = path.read_text(encoding="utf-8")
    asked = re.findall(r'\bask\(["`](/\w+/\w+)', text)
    assert set(asked) <= {"/feb_cache/preview", "/feb_cache/state"}
    assert text.count("api.fetchApi") <= 1


def test_no_script_is_longer_than_250_lines():
    assert not [path.name for path in SCRIPTS if len(path.read_text(encoding="utf-8").splitlines()) > 250]


def test_the_commands_are_called_as_the_scripts_call_them_and_in_chinese():
    text = (SCRIPTS[0].parent / "speed_up.js").read_text(encoding="utf-8")
    labels = {id.replace(".", "_"): label for id, label in re.findall(r'\{ id: "(.+?)", .*?label: "(.+?)"', text)}
    english, chinese, menu = (
        json.loads((LOCALES / path).read_text(encoding="utf-8"))
        for path in ("en/commands.json", "zh/commands.json", "zh/main.json")
    )
    assert len(labels) == 2
    assert {id: texts["label"] for id, texts in english.items()} == labels
    assert menu["menuLabels"] == {labels[id]: texts["label"] for id, texts in chinese.items()}
