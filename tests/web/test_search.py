"""What people look for is found in the search of ComfyUI's real page: search.mjs types, the tests say what has to be
listed."""

import re
from pathlib import Path

import pytest

WORDS = (
    "cache",
    "speed",
    "faster",
    "teacache",
    "magcache",
    "spectrum",
    "first block cache",
    "wavespeed",
    "turbo",
)
FIRST = ["AB-Cache Apply", "FEB-Cache Apply"]
HELPERS = {
    "Cache Method (TeaCache, MagCache, ...)",
    "Cache Contest",
    "Cache Report",
    "Cache Compare",
    "Cache Calibrate",
    "Cache Plan Load",
    "Cache Plan Save",
    "Cache Plan Info",
}
# Close in letters only, but in the page's own table of use, which decides among all that do not have the word in their
# own name.
BEFORE = {"speed": {"Seed"}, "spectrum": {"Preview Mask"}, "turbo": {"PerturbedAttentionGuidance"}}


@pytest.fixture(scope="module")
def facts(drive) -> dict:
    return drive("search.mjs", *WORDS)


@pytest.fixture(params=WORDS)
def word(request, facts) -> str:
    if not facts["aliases"]:
        pytest.skip("this front end or ComfyUI knows no aliases of nodes")
    return request.param


def test_ab_cache_is_first_then_feb_cache_and_only_nodes_named_so_come_before(facts, word):
    found = facts["found"][word]
    at = found.index(FIRST[0])
    assert found[at : at + 2] == FIRST
    others = [name for name in found[:at] if word not in name.lower()]
    assert set(others) <= BEFORE.get(word, set())
    if word not in ("turbo", *BEFORE):
        assert at == 0


def test_helpers_come_behind(facts, word):
    found = facts["found"][word]
    assert not HELPERS & {*found[: found.index(FIRST[1]) + 1]}


def test_each_node_of_the_pack_has_its_place_in_the_search(pack):
    # Was wrong once: Cache Contest, which was new, came before both.
    script = (Path(__file__).resolve().parents[2] / "web" / "js" / "search.js").read_text(encoding="utf-8")
    lists = re.findall(r"const (?:APPLY|HELPERS) = \[(.*?)\]", script)
    assert sorted(re.findall(r'"(\w+)"', " ".join(lists))) == sorted(pack.NODE_CLASS_MAPPINGS)


def test_all_nodes_are_found_by_cache(facts):
    assert {*facts["found"]["cache"]} >= {*FIRST, *HELPERS}
