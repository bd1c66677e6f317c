"""The page in Chinese: nodes, inputs, outputs and tooltips are those of locales/zh, and the timeline still has its
words."""

import json
from pathlib import Path

import pytest

CHINESE = json.loads(
    (Path(__file__).resolve().parents[2] / "locales" / "zh" / "nodeDefs.json").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module", params=["classic", "vue"])
def facts(request, drive) -> dict:
    return drive("chinese.mjs", request.param)


def test_our_scripts_say_nothing_and_ask_no_other_host(facts):
    assert facts["noise"] == facts["abroad"] == []


def test_every_node_is_called_and_described_in_chinese(facts):
    assert {name: (node["title"], node["description"]) for name, node in facts["nodes"].items()} == {
        name: (texts["display_name"], texts["description"]) for name, texts in CHINESE.items()
    }


def test_every_input_and_output_is_called_in_chinese(facts):
    for name, texts in CHINESE.items():
        shown = facts["nodes"][name]
        assert {part: label for part, label in shown["parts"].items() if part in texts["inputs"]} == {
            part: text["name"] for part, text in texts["inputs"].items()
        }
        assert shown["outputs"] == [text["name"] for text in texts["outputs"].values()]


def test_a_tooltip_is_in_chinese(facts):
    assert facts["tip"] == CHINESE["FEBCacheApply"]["inputs"]["attention_interval"]["tooltip"]


def test_the_timelines_have_cells_and_words(facts):
    assert len(facts["words"]) == 3
    for words in facts["words"]:
        assert any(line.startswith("步数未知，以 20 步为例") for line in words)
        assert not [line for line in words if line.isascii() and "Cache" not in line]


def test_cache_compare_says_in_chinese_how_to_see_pictures(facts):
    assert facts["hint"] == "运行后在此显示两张图或两段声音。"
