"""Which samplers the commands leave alone, and what they say of it: speed_up.mjs drives the page."""

import pytest

PLAIN, SHORT, RIVAL, THERE, MUTED, BYPASSED, UNLINKED = map(str, range(10, 17))


@pytest.fixture(scope="module", params=["classic", "vue"])
def facts(request, drive) -> dict:
    return drive("speed_up.mjs", request.param)


def test_only_a_sampler_that_can_be_faster_gets_a_node(facts):
    assert facts["fast"] == facts["loaded"] | {PLAIN: "ABCacheApply"}
    assert {facts["loaded"][id] for id in (PLAIN, SHORT, MUTED, BYPASSED)} == {"TinyFlux"}


def test_the_others_are_named_with_the_reason(facts):
    reasons = (
        "with fewer than 8 steps",
        "with a cache of this pack already",
        "with a cache of another pack",
        "without a",
    )
    assert all(f"1 model {reason}" in facts["said"] for reason in reasons)


def test_a_node_whose_report_is_used_stays(facts):
    assert facts["out"] == facts["loaded"]
    assert facts["out"][THERE] == "FEBCacheApply"
    assert (facts["out"][RIVAL], facts["out"][UNLINKED]) == ("EasyCache", None)


def test_our_scripts_say_nothing_in_the_console(facts):
    assert facts["noise"] == facts["errors"] == []
