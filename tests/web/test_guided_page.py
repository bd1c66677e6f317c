"""Cache Method with a method for the guidance, in ComfyUI's real page: guided.mjs drives it in headless Chromium, the
tests say what has to come of it."""

import pytest

GATE = ["computed"] * 12 + ["reused"] * 8
OTHERS = ([47, 134, 197], [213, 94, 0], [10, 163, 122])  # colours of rows of other kinds
LEAST = 3.0  # contrast of what is no text, WCAG 2.1, 1.4.11


@pytest.fixture(scope="module", params=[("classic", "dark"), ("classic", "light"), ("vue", "dark")], ids="-".join)
def facts(request, drive) -> dict:
    return drive("guided.mjs", *request.param)


def luminance(colour: list[int]) -> float:
    """Relative luminance, 0 to 1, of a colour: red, green and blue, 0 to 255."""
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: list[int], other: list[int]) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_our_scripts_say_nothing_and_ask_no_other_host(facts):
    assert facts["noise"] == facts["abroad"] == []


def test_the_strip_has_the_row_of_the_guidance_before_and_after_the_run(facts):
    for seen in (facts["planned"], facts["ran"]):
        assert seen["cells"] == {"guidance": GATE}
        assert seen["label"] == "guidance"
        assert seen["titles"][0] == "step 0, guidance: computed with the negative prompt"
        assert "without the negative prompt" in seen["titles"][-1]
        assert [word in seen["head"] for word in ("with negative prompt", "without it")] == [True, True]


def test_its_words_count_the_negative_prompt(facts):
    assert "negative prompt computed at 12 of 20 steps" in facts["planned"]["front"]
    assert "negative prompt computed: 60 %" in facts["ran"]["front"]
    assert "gated share 0.378 from strength 0.2" in facts["planned"]["front"]


def test_its_colour_is_its_own_and_legible_in_this_theme_and_that_of_the_key(facts):
    planned = facts["planned"]
    colour, one_branch = planned["colours"]["computed"], planned["colours"]["reused"]
    assert colour == one_branch
    assert planned["keys"] == planned["colours"]
    assert colour not in OTHERS
    assert contrast(colour, planned["paper"]) >= LEAST
