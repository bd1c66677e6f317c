"""The pack's commands are in the page's menu under Edit, in the page's language: menu.mjs chooses them."""

import json
from pathlib import Path

import pytest

LOCALES = Path(__file__).resolve().parents[2] / "locales"


@pytest.mark.parametrize(
    ("language", "edit", "no_sampler", "none_out"),
    [("en", "Edit", "No sampler was found", "0 taken out"), ("zh", "编辑", "未找到采样器", "已移除 0 个")],
)
def test_the_commands_are_chosen_in_the_menu_and_say_that_there_is_nothing_to_do(
    drive, language, edit, no_sampler, none_out
):
    texts = json.loads((LOCALES / language / "commands.json").read_text(encoding="utf-8"))
    labels = [text["label"] for text in texts.values()]
    facts = drive("menu.mjs", language, edit, no_sampler, none_out, *labels)
    assert (facts["chosen"], facts["said"]) == (labels, no_sampler)
    assert facts["noise"] == facts["errors"] == facts["abroad"] == []
