"""The pack's commands are in the page's menu under Edit, in the page's language: menu.mjs chooses them."""

import json
from pathlib import Path

import pytest

LOCALES = Path(__file__).resolve().parents[2] / "locales"


@pytest.mark.parametrize(("language", "edit"), [("en", "Edit"), ("zh", "编辑")])
def test_the_commands_are_chosen_in_the_menu_and_say_that_there_is_nothing_to_do(drive, language, edit):
    texts = json.loads((LOCALES / language / "commands.json").read_text(encoding="utf-8"))
    labels = [text["label"] for text in texts.values()]
    facts = drive("menu.mjs", language, edit, *labels)
    assert (facts["chosen"], facts["said"]) == (labels, "No sampler was found")
    assert facts["noise"] == facts["errors"] == facts["abroad"] == []
