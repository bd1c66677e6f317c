"""Cache Compare in ComfyUI's real page: compare.mjs drives it in headless Chromium, the tests here say what has to
come of it."""

import pytest


@pytest.fixture(scope="module", params=["classic", "vue"])
def facts(request, drive) -> dict:
    return drive("compare.mjs", request.param)


def test_our_scripts_say_nothing_and_ask_no_other_host(facts):
    assert facts["noise"] == facts["abroad"] == []


def test_before_a_run_it_says_what_to_do(facts):
    assert facts["before"] == "Queue to see both pictures, or sounds, here."


def test_both_pictures_are_shown_and_the_wipe_begins_at_wipe_at(facts):
    assert facts["sizes"] == [[320, 200]] * 2
    assert facts["start"] == pytest.approx([0.25] * 3)


def test_the_wipe_follows_the_pointer_and_the_node_stays(facts):
    assert facts["pointed"] == pytest.approx([0.75] * 3, abs=0.01)
    assert facts["dragged"]["places"] == pytest.approx([0.6] * 3, abs=0.01)
    assert not facts["dragged"]["moved"]


def test_the_uncached_picture_is_left_of_the_wipe_and_the_cached_one_right_of_it(facts):
    assert facts["colours"] == [pytest.approx([0xD5, 0x5E, 0x00], abs=2), pytest.approx([0x00, 0x72, 0xB2], abs=2)]


def test_the_keyboard_moves_it_too(facts):
    assert facts["home"] == [0, 0, 0]


def test_it_is_not_saved_with_the_workflow_and_an_undo_keeps_it(facts):
    assert facts["saved"] == [4, 0.25]
    assert facts["undone"] == 1


def test_spectrograms_are_shown_below_the_pictures_and_the_node_grows(facts):
    beside = facts["beside"]
    assert beside["sizes"] == [[320, 200], [320, 200], [900, 682]]
    frame, sound = beside["frame"], beside["sound"]
    assert sound["top"] >= frame["bottom"]
    assert min(frame["height"], sound["height"]) > 200
    assert beside["grown"] >= 200
    assert beside["inside"]


def test_sound_alone_is_shown_without_a_wipe(facts):
    assert facts["alone"]["sizes"] == [[900, 682]]
    assert facts["alone"]["sound"]["height"] > 250
    assert facts["alone"]["frame"]["height"] == 0


def test_pictures_alone_are_shown_without_spectrograms_again(facts):
    assert facts["again"] == [[320, 200]] * 2


def test_a_workflow_saved_when_the_pictures_were_required_loads_with_its_links_and_values(facts):
    assert facts["loaded"]["inputs"] == {"amplify": 7, "uncached": ["1", 0], "cached": ["2", 0], "wipe_at": ["4", 0]}
    assert facts["loaded"]["sockets"][:4] == ["uncached", "cached", "uncached_audio", "cached_audio"]
