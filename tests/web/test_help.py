"""Every node has a help page and texts in both languages, and they name what the node has."""

import importlib.util
import re
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "web" / "docs"
HEADINGS = {
    "en": ["Quick start", "When to use it", "Example", "Troubleshooting", "Inputs", "Outputs"],
    "zh": ["快速开始", "何时使用", "示例", "疑难解答", "输入", "输出"],
}
spec = importlib.util.spec_from_file_location("make_locales", ROOT / "scripts" / "make_locales.py")
locales = importlib.util.module_from_spec(spec)
spec.loader.exec_module(locales)


@pytest.fixture(scope="module")
def english(pack):
    """The texts of the node classes."""
    return locales.definitions(pack)


def page_of(node, language):
    """A node's help page. ComfyUI asks for docs/<node>/<language>.md, then for docs/<node>.md."""
    return DOCS / f"{node}.md" if language == "en" else DOCS / node / f"{language}.md"


def rows(page, heading):
    """The cells of the table's rows below a heading of a help page, the first without its quotes."""
    part = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [(name, *cells.split(" | ")) for name, cells in re.findall(r"^\| `(\w+)` \| (\S.*) \|$", part, re.MULTILINE)]


def tooltips(texts):
    """Every tooltip, by its dotted path."""
    return {
        f"{node}.{group}.{key}": text["tooltip"]
        for node, d in texts.items()
        for group in ("inputs", "outputs")
        for key, text in d[group].items()
    }


def test_every_node_has_a_help_page_in_both_languages_and_every_page_a_node(pack):
    pages = [page_of(node, language) for node in pack.NODE_CLASS_MAPPINGS for language in HEADINGS]
    assert {*DOCS.rglob("*.md")} == {*pages}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_pages_say_what_the_node_says_of_every_input_and_output(english, language):
    for node, texts in english.items():
        page, local = page_of(node, language).read_text(encoding="utf-8"), locales.read(language)[node]
        assert page.startswith(f"# {local['display_name']}\n\n{local['description']}\n")
        for group, heading in zip(("inputs", "outputs"), HEADINGS[language][-2:], strict=True):
            told = [
                (texts[group][key]["name"], *([text["name"]] if language != "en" else []), text["tooltip"])
                for key, text in local[group].items()
            ]
            assert rows(page, heading) == told, node


@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_pages_begin_with_three_lines_and_end_with_the_tables(pack, language):
    first, example, *_, last = (HEADINGS[language][i] for i in (0, 2, -1))
    for node in pack.NODE_CLASS_MAPPINGS:
        page = page_of(node, language).read_text(encoding="utf-8")
        headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
        assert [h for h in HEADINGS[language] if h in headings or h != example] == headings, node
        assert re.match(rf"# .+\n\n.+\n\n## {first}\n\n1\. .+\n2\. .+\n3\. .+\n\n## ", page), node
        assert re.fullmatch(r"\n(?:\|.*\n)+", page.split(f"\n## {last}\n")[1]), node


def test_help_pages_link_to_the_papers_only():
    for path in DOCS.rglob("*.md"):
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
    assert not [
        node
        for node, d in chinese.items()
        if d["description"] in ("", english[node]["description"]) or not d["display_name"]
    ]
    assert not [
        node
        for node, d in chinese.items()
        for group in ("inputs", "outputs")
        for text in d[group].values()
        if not text["name"].strip()
    ]


def test_every_node_is_found_by_other_words(pack):
    assert not [node for node, kind in pack.NODE_CLASS_MAPPINGS.items() if not getattr(kind, "SEARCH_ALIASES", [])]


def test_the_server_has_the_pages_where_comfyui_asks_for_them(url, pack):
    for node in pack.NODE_CLASS_MAPPINGS:
        for language in HEADINGS:
            with urllib.request.urlopen(
                f"{url}/extensions/cloned/docs/{page_of(node, language).relative_to(DOCS)}", timeout=30
            ) as answer:
                assert answer.read() == page_of(node, language).read_bytes()
