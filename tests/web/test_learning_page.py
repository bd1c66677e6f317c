"""AB-Cache Apply learns, in ComfyUI's real page: learning.mjs drives it in headless Chromium, the tests here say what
has to come of it."""

import re

import pytest

STEPS, COMPUTED = 24, 8


# a scheduler each: the server keeps the plans that it has learned
LOOKS = {"classic-dark": "simple", "classic-light": "beta", "vue-dark": "normal", "vue-light": "linear_quadratic"}


@pytest.fixture(scope="module", params=LOOKS)
def facts(request, drive) -> dict:
    return drive("learning.mjs", *request.param.split("-"), LOOKS[request.param])


def test_our_scripts_say_nothing_and_ask_no_other_host(facts):
    assert facts["noise"] == facts["abroad"] == []


def test_before_the_first_picture_it_is_said_that_it_is_slow_and_why(facts):
    assert facts["first"]["front"].splitlines()[0] == "First picture: normal speed, learns. Then about 3.0x."


def test_learning_is_seen_on_the_strip_and_on_comfyuis_bar(facts):
    told = [line for line in facts["fronts"] if line.startswith("Learning")]
    done = [tuple(map(int, re.findall(r"\d+", line))) for line in told]
    assert all(line.endswith("only for the first picture.") for line in told)
    assert done == sorted(done)
    assert {total for _, total in done} == {2 * STEPS}
    assert (done[0][0], done[-1][0]) == (0, 2 * STEPS)
    bar = [(value, most) for _, value, most in facts["bar"]]
    assert (STEPS, STEPS) in bar  # of the picture itself
    assert {(0, 2 * STEPS), (2 * STEPS, 2 * STEPS)} <= set(bar)
    assert len({node for node, _, _ in facts["bar"]}) == 1


def test_after_learning_it_is_said_how_long_the_next_picture_takes(facts):
    lines = facts["learned"]["front"].splitlines()
    assert re.fullmatch(r"Learned\. The next picture takes about [\d.]+ s instead of [\d.]+ s\.", lines[0])
    assert len(lines) == 2
    assert re.match(r"Last picture: [\d.]+x, ", facts["second"]["front"])
    assert "dB" in facts["second"]["front"]


@pytest.mark.parametrize("how", ["clicked", "moved"])
def test_what_leaves_learning_says_so_and_undo_brings_it_back(facts, how):
    assert facts[how]["widgets"]["preset"] == "custom"
    back = facts[f"un{how}"]
    assert back["widgets"]["preset"] == "auto"
    assert back["cells"]["model"].count("computed") == COMPUTED
    assert "Learning is left" not in back["words"]


def test_a_plan_is_promised_only_where_it_will_be_used(facts):
    computed = {name: seen["cells"]["model"].count("computed") for name, seen in facts["elsewhere"].items()}
    assert computed == {"larger": STEPS, "near": COMPUTED, "guided": STEPS}


def test_another_cache_is_named_before_the_run_and_no_speed_up_is_promised(facts):
    assert facts["rival"]["front"].startswith("EasyCache is on this model, too, and two caches spoil each other.")
    for state in ("rival", "refused", "failed"):
        assert not re.search(r"About|Up to|Last picture|First picture", facts[state]["front"])
