"""All that a user reads on the strip and in the head of a report, in English and in Chinese: words.mjs puts answers of
the pack's own routes, and states of runs, into words by the page's scripts."""

import json
import re
import sys
from dataclasses import replace

import pytest

from cache_core import OUTPUT, Extrapolation, Frame, Interval, Kind, Plan, Run, Timeline, evenly, report
from cache_core.saved_plan.saved_plan import Origin, model_plan
from cache_core.show import timeline as view
from cache_core.show.similarity import in_words
from tests.web.method_words import method_cases
from tests.web.spoken import spoken

STEPS = 24
# of people who write caches; what else there is to say of them belongs in docs/
JARGON = (
    r"counting|estimated|relative L2|residual|lists? of blocks|evaluations?\b|\bdrift|demot|\brung|modalit|fingerprint|"
    r"\brecording\b|extrapolat|latent|\bkind\b|\bsites?\b|\bsigmas?\b|\bstages?\b"
)
DEEPER = r"counting calls|estimated|relative L2|residual|list of blocks|\brung|\bsites?\b"  # not even behind "details"
NAMES = (
    "AB-Cache",
    "FEB-Cache",
    "KSampler",
    "MLP",
    "Apply",
    "EasyCache",
    "magcache_thresh",
    "MB",
    "dB",
    "s",
)  # the same in every language


def finished(finished: bool = True):
    """A report of a run that computed every third step, a second each."""
    run = Run((Plan(Interval(OUTPUT, 3, Frame(1)), Extrapolation(2), name="AB-Cache auto"),), Timeline.even(STEPS))
    for step in range(STEPS):
        computed = step % 3 == 0 or step == STEPS - 1
        run.begin(run.timeline.sigmas[step], now=sum(1.0 if s % 3 == 0 else 0.25 for s in range(step)))
        (run.evaluation.computed_calls if computed else run.evaluation.predicted_calls)[Kind.MODEL] += 1
    run.end(sum(1.0 if s % 3 == 0 else 0.25 for s in range(STEPS)))
    run.close()
    return run, report(run, "Flux", finished)


@pytest.fixture(scope="module")
def cases(pack) -> dict:
    """Plans and runs, as the strip gets them."""
    routes = sys.modules[f"{pack.__name__}.nodes.page.routes"]

    def plan(cls="ABCacheApply", **asked):
        sampling = {"steps": STEPS, "scheduler": "simple", "sampler": "euler"}
        body = {"class": cls, "sampling": sampling, **asked}
        answer = routes.answer(json.dumps(body).encode())[1]
        assert "error" not in answer, answer
        return answer

    first, off = plan(widgets={"preset": "auto", "learn": True}), plan(widgets={"preset": "auto", "learn": False})
    saved = model_plan(tuple(evenly(STEPS, 8)), Timeline.even(STEPS).sigmas, Origin("Flux"), drift=0.04)
    learned = {**off, "learned": True, "seconds": [14.2, 41.3], "rate": 2.9, "bytes": 3e7, "exact": True}
    learned |= dict(sys.modules[f"{pack.__name__}.nodes.page.ahead"]._alike([saved]))
    run, done = finished()
    state = {"running": False, "steps": STEPS, "rate": None, **view.counts(run), "notes": []}

    def ran(lesson="", **changes):
        return {**state, "report": {**replace(done, **changes).summary(), "lesson": lesson}}

    going = {**state, "running": True, "rate": 1.84}
    feb = {name: plan("FEBCacheApply", widgets=widgets) for name, widgets in (("auto", {}), ("on", {"learn": True}))}
    return {
        **method_cases(plan, off, ran()),
        "first": {"plans": [first]},
        "first of FEB-Cache": {"plans": [feb["on"]]},
        "not learned": {"plans": [off]},
        "FEB-Cache": {"plans": [feb["auto"]]},
        "learned before": {"plans": [learned]},
        "left": {"plans": [plan(widgets={"preset": "custom", "learn": True})]},
        "few steps": {"plans": [plan(sampling={"steps": 5}, widgets={"preset": "auto", "learn": True})]},
        "decided in the run": {"plans": [plan(widgets={"preset": "custom", "tolerance": 0.1})]},
        "another cache": {"plans": [first], "more": {"wrong": ["EasyCache"]}},
        "running": {"plans": [learned], "runs": [going]},
        "learning": {"plans": [first], "runs": [{**going, "learning": [4, 48]}]},
        "just learned": {"plans": [learned], "runs": [ran("learned")]},
        "not to be learned": {"plans": [off], "runs": [ran("failed")]},
        "ran": {"plans": [learned], "runs": [ran()]},
        "ran with less": {"plans": [learned], "runs": [ran(demotions=("out of memory at step 4",))]},
        "ran at normal speed": {"plans": [off], "runs": [ran(shares={"model": 1.0})]},
        "stopped": {"plans": [learned], "runs": [ran(finished=False)]},
        "two models": {"plans": [learned, off]},
        "two models ran": {"plans": [learned, off], "runs": [ran(), ran()]},
    }


@pytest.fixture(scope="module")
def sentences(pack, cases) -> list[str]:
    """Errors and notes of the pack's own code, which a user can meet on the page."""
    modules = {name: sys.modules[f"{pack.__name__}.{name}"] for name in ("nodes.page.routes", "nodes.comfy.rivals")}
    flux = {"name": "bundled/flux_feb_released.safetensors"}
    asked = [
        {"class": "ABCacheApply", "plan": flux},
        {"class": "ABCacheApply", "plan": {"name": ""}},
        {"class": "ABCacheApply", "plan": {"name": "bundled/none.safetensors"}},
        {"class": "ABCacheApply", "beside": [{"class": "ABCacheApply"}]},
        {"class": "CacheMethod", "widgets": {"method": "none"}},
        {"class": "CacheMethod", "widgets": {"method": "MagCache", "threshold": 99.0}},
        {
            "class": "FEBCacheApply",
            "beside": [{"class": "ABCacheApply", "widgets": {"preset": "custom", "tolerance": 0.1}}],
        },
        *({"class": "ABCacheApply", "sampling": sampling} for sampling in ({"steps": 5000}, {"steps": 9, "start": 9})),
        *(
            {"class": "ABCacheApply", "widgets": {"preset": "custom", **widgets}}
            for widgets in (
                {"interval": 99},
                {"coefficients": "none"},
                {"start_percent": 0.9, "end_percent": 0.1},
                {"computed_steps": "3,5"},
                {"computed_steps": "0-x"},
            )
        ),
    ]
    errors = [modules["nodes.page.routes"].answer(json.dumps(each).encode())[1]["error"] for each in asked]
    refuse = modules["nodes.comfy.rivals"].refusal({"EasyCache or LazyCache"}, set())
    stays = modules["nodes.comfy.rivals"].refusal(set(), {"TeaCache"})
    notes = [note for case in cases.values() for plan in case["plans"] for note in plan["notes"]]
    return [*errors, refuse, stays, *notes]


@pytest.fixture(scope="module")
def said(cases, sentences, tmp_path_factory) -> dict:
    """The table of words, and what the strip says in each case, by language; and more of words.mjs."""
    given = {"cases": cases, "sentences": sentences, "reports": [finished()[1].table()]}
    return spoken(tmp_path_factory.mktemp("scripts"), **given)


def front(case: dict) -> list[str]:
    return [text for text, _ in case["lines"]]


def test_what_is_read_first_has_none_of_the_words_of_those_who_write_caches(said):
    lines = [line for case in said["en"].values() for line in front(case)]
    table = said["table"]["en"].items()
    texts = [re.sub(r"\{\w+\}", "", text) for key, text in table if not key.startswith(("scale", "noise"))]
    assert not [line for line in lines + texts if re.search(JARGON, line)]


def test_nor_has_what_is_behind_details(said):
    assert not [line for case in said["en"].values() for line in case["more"] if re.search(DEEPER, line)]


def test_one_line_is_bold_one_says_more_and_the_rest_is_behind_details(said):
    for case in said["en"].values():
        bold = [text for text, how in case["lines"] if how in ("strong", "wrong")]
        assert bold == front(case)[:1]
        assert len(case["lines"]) <= 3
        assert len(bold[0]) <= 80
        assert len(re.findall(r"\bMB\b", "\n".join(front(case)))) <= 1


def test_the_bold_lines_say_what_the_next_picture_takes(said):
    heads = {name: front(case)[0] for name, case in said["en"].items()}
    assert heads["first"] == "First picture: normal speed, learns. Then about 3.0x."
    assert heads["learned before"] == "About 2.9x: 14 s instead of 41 s."
    assert heads["learning"] == "Learning: 4 of 48, only for the first picture."
    assert heads["just learned"] == "Learned. The next picture takes about 14 s instead of 41 s."
    assert heads["running"] == f"Running: {STEPS} of {STEPS} steps, 1.84x so far."
    assert heads["method to be learned"] == "First picture: normal speed, learns. Then about 2.0x."
    assert heads["threshold to be learned"] == "First picture: normal speed, is learned from."
    assert heads["method of a model that has not run"] == "How much faster is decided while it runs."
    assert heads["few steps"] == "Normal speed: every step is computed."
    assert re.fullmatch(r"Last picture: [\d.]+x, \d+ s instead of \d+ s\.", heads["ran"])
    assert re.fullmatch(r"Last picture: normal speed, [\d.]+ s\.", heads["ran at normal speed"])
    assert "hard to tell apart from uncached (44 dB)" in front(said["en"]["learned before"])[1]


def test_a_method_s_own_threshold_is_read_first_with_where_it_comes_from(said):
    assert front(said["en"]["method"])[2] == "magcache_thresh 0.064 from strength 0.5"
    assert front(said["en"]["method by hand"])[2] == "magcache_thresh 0.064, as set"
    assert "strength is 0: nothing is saved" in front(said["en"]["method off"])


def test_what_is_cached_less_than_planned_is_read_first_too(said):
    assert "out of memory at step 4" in front(said["en"]["ran with less"])
    assert any("uncached" in line for line in front(said["en"]["few steps"]))


def test_both_languages_have_the_same_words_with_the_same_values(said):
    english, chinese = said["table"]["en"], said["table"]["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", chinese[key])), key
        assert re.search(r"[\u4e00-\u9fff]", chinese[key]) or key in ("alike", "mlp", "semicolon"), key


def test_in_chinese_no_english_is_read_first(said):
    notes = {"out of memory at step 4"}  # rare sentences of the engine stay in its language
    for case in said["zh"].values():
        for line in front(case):
            words = set(re.findall(r"[A-Za-z][\w-]*", line)) - set(NAMES)
            assert line in notes or not words, line


def test_errors_and_notes_that_a_user_meets_are_in_chinese(said, sentences):
    assert said["kept"] == sentences
    assert not [text for text in said["sentences"] if not re.search(r"[\u4e00-\u9fff]", text)]


def test_a_report_is_in_chinese_with_the_numbers_of_the_english_one(said):
    _, done = finished()
    assert said["english"] is None
    assert f"{done.seconds:.2f}" in said["report"]
    assert f"{done.rate:.2f} 倍" in said["report"]
    assert len(said["report"].splitlines()) >= STEPS + 6
    words = set(re.findall(r"[A-Za-z][A-Za-z-]{2,}", said["report"])) - {*NAMES, "Flux", "auto", "MLP", "sigma"}
    assert not words


def test_a_psnr_is_said_in_words():
    drifts = {
        0.004: "the same to the eye",
        0.055: "hard to tell apart",
        0.15: "small details differ",
        0.5: "details differ",
    }
    for drift, eye in drifts.items():
        assert in_words(drift).endswith(f"dB, {eye}")


def test_the_head_of_a_report_has_none_of_these_words_either():
    _, done = finished()
    head = done.text().partition("\n\n")[0]
    assert "saved" in head
    assert not re.search(DEEPER, head)
