"""Every node has a help page and texts in both languages, and they name what the node has."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("make_locales", ROOT / "scripts" / "make_locales.py")
locales = importlib.util.module_from_spec(spec)
spec.loader.exec_module(locales)


@pytest.fixture(scope="module")
def english(pack):
    """The texts of the node classes."""
    return locales.definitions(pack)


def rows(page, heading):
    """Names in the table's rows below a heading of a help page."""
    part = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| \S", part, re.MULTILINE)


def tooltips(texts):
    """Every tooltip, by its dotted path."""
    return {f"{node}.{group}.{key}": text["tooltip"] for node, d in texts.items()
            for group in ("inputs", "outputs") for key, text in d[group].items()}


def test_every_node_has_a_help_page_and_every_page_a_node(pack):
    assert {path.stem for path in (ROOT / "web" / "docs").glob("*.md")} == set(pack.NODE_CLASS_MAPPINGS)


def test_help_pages_name_every_input_and_output(english):
    for node, texts in english.items():
        page = (ROOT / "web" / "docs" / f"{node}.md").read_text(encoding="utf-8")
        assert rows(page, "Inputs") == list(texts["inputs"]), node
        assert rows(page, "Outputs") == [output["name"] for output in texts["outputs"].values()], node
        assert all(f"\n## {heading}\n" in page for heading in ("When to use it", "Example", "Troubleshooting")), node


def test_help_pages_link_to_the_papers_only():
    for path in (ROOT / "web" / "docs").glob("*.md"):
        links = re.findall(r"https?://[^\s)]+|!\[", path.read_text(encoding="utf-8"))
        assert {*links} <= {"https://arxiv.org/abs/2504.10540", "https://arxiv.org/abs/2503.07120"}, path.name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_locales_have_the_keys_of_the_node_classes(english, language):
    assert sorted(locales.keys(locales.read(language))) == sorted(locales.keys(english))


def test_the_english_file_is_what_the_script_writes(english):
    assert (ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8") == locales.as_json(english)


def test_chinese_texts_are_there_and_translated(english):
    chinese = locales.read("zh")
    translated, original = tooltips(chinese), tooltips(english)
    assert not [key for key, text in translated.items() if not text.strip() or text == original[key]]
    assert not [node for node, d in chinese.items() if d["description"] in ("", english[node]["description"]) or not d["display_name"]]
    assert not [node for node, d in chinese.items() for group in ("inputs", "outputs") for text in d[group].values() if not text["name"].strip()]


def test_every_node_is_found_by_other_words(pack):
    assert not [node for node, kind in pack.NODE_CLASS_MAPPINGS.items() if not getattr(kind, "SEARCH_ALIASES", [])]
