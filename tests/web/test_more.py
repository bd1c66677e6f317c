"""Two widgets at first sight, the others on request, in ComfyUI's real page: more.mjs drives it in headless Chromium,
the tests say what has to come of it."""

import pytest

AT_SIGHT = {"ABCacheApply": ["preset", "learn"], "FEBCacheApply": ["preset", "memory"]}
SIZE = {
    "classic": (280, 330),
    "vue": (280, 370),
}  # pixels at most, title included; Nodes 2.0 adds the pack's name and its own button
ALL = {"ABCacheApply": 13, "FEBCacheApply": 16}  # widgets


@pytest.fixture(
    scope="module",
    params=[("classic", "dark"), ("classic", "light"), ("vue", "dark"), ("vue", "light")],
    ids="-".join,
)
def how(request) -> tuple[str, str]:
    return request.param


@pytest.fixture(scope="module")
def facts(how, drive) -> dict:
    return drive("more.mjs", *how)


@pytest.fixture(params=AT_SIGHT)
def node(request) -> str:
    return request.param


def test_our_scripts_say_nothing_and_ask_no_other_host(facts):
    assert facts["noise"] == facts["abroad"] == []


def test_a_fresh_node_is_small_and_shows_two_widgets(facts, node, how):
    fresh = facts[node]["fresh"]
    assert fresh["shown"] == AT_SIGHT[node]
    assert fresh["inside"]  # the strip's head and words
    assert fresh["words"] > 25  # pixels: two lines
    width, height = fresh["size"]
    assert 260 <= width <= SIZE[how[0]][0]
    assert 260 <= height <= SIZE[how[0]][1]


def test_more_shows_all_widgets_and_less_is_the_way_back(facts, node):
    assert len(facts[node]["more"]["shown"]) == ALL[node]
    assert facts[node]["more"]["size"][1] > facts[node]["fresh"]["size"][1] + 200
    assert facts[node]["less"] == facts[node]["fresh"]


def test_custom_opens_by_itself_and_stays_so_in_the_saved_workflow(facts, node):
    assert facts[node]["custom"]["kept"]
    for state in ("custom", "reloaded"):
        assert len(facts[node][state]["shown"]) == ALL[node]


def test_a_workflow_of_an_older_pack_opens_where_it_was_custom_and_keeps_its_size(facts, node):
    assert len(facts[node]["old"]["shown"]) == ALL[node]
    assert facts[node]["oldAuto"]["shown"] == AT_SIGHT[node]
    assert facts[node]["old"]["size"] == facts[node]["reloaded"]["size"]


def test_hidden_widgets_are_saved_and_queued_like_the_others(facts, node):
    for state in ("fresh", "more", "less", "custom", "reloaded", "old"):
        seen = facts[node][state]
        assert len(seen["values"]) == ALL[node]
        assert seen["saved"] == seen["values"]
        assert seen["queued"] == seen["values"]


def test_off_says_so_plainly(facts, node):
    assert facts[node]["off"] == "Off: nothing is cached, as without this node."
