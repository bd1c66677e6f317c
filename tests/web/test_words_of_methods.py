"""What the page says of methods: of guidance, on the strip and in a report; and in Chinese each sentence of the code
that a user of Cache Method can meet."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cache_core import Kind
from cache_core.show.states import COMPUTE, MARKS
from tests.web.spoken import spoken

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = ("profile.py", "profile_file.py")  # their errors go to the log, or to scripts
FILES = (
    *(path for path in sorted((ROOT / "cache_core" / "methods").glob("*.py")) if path.name not in ELSEWHERE),
    *(ROOT / "cache_core" / "mount" / f"{name}.py" for name in ("__init__", "first_look", "first_blocks", "deep")),
    *(ROOT / "cache_core" / name for name in ("plan.py", "settings/method.py", "run/shortfall.py")),
    *(ROOT / "nodes" / "comfy" / name for name in ("branches.py", "profiling.py")),
)
TELLING = ("bar", "note", "demote", "give_up")  # methods that take a sentence for the report
LEAST = 4  # words of a sentence
PARTS = {
    "7 computed at 77",
    "7 of 7 steps",
    "7 with 7 blocks",
    "7 predicts 7: 7",
    "none of 7 steps",
    "learned on this model",
}  # of others
WHOLE = (  # made of parts, and in Chinese
    (
        "FORA predicts none of 20 steps: the intervals compute the others. Set them higher",
        "FORA 在 20 步中没有作任何预测：其余的步由间隔决定计算。请调大间隔",
    ),
    (
        "FORA predicts 2 of 20 steps: its list of computed steps leaves no more. Name fewer steps",
        "FORA 在 20 步中只预测 2 步：其计算步列表没有留下更多的步。请列出更少的步",
    ),
    (
        "TeaCache: no polynomial was published for Wan. Set curves to 'learned on this model'.",
        "TeaCache：没有为 Wan 公布过数值。请把 curves 设为 'learned on this model'。",
    ),
    (
        "A caches mlp and guidance; guidance needs a plan of its own beside it.",
        "A 缓存MLP与引导；引导需要另一个单独的计划。",
    ),
    ("gated share is 99.0; allowed is 0.02 to 0.95.", "gated share 为 99.0；允许 0.02 到 0.95。"),
    ("something else: that nobody knows", "something else: that nobody knows"),
)
STEPS = 20
PLAN = {
    "steps": STEPS,
    "cells": {"guidance": ["computed"] * 12 + ["reused"] * 8},
    "computed": {"guidance": 12},
    "least": False,
    "learns": 0.0,
    "rate": 1.25,
    "seconds": None,
    "threshold": {"name": "gated share", "value": "0.4", "strength": 0.2},
    "alike": None,
    "apart": {},
    "bytes": None,
    "kept": False,
    "learned": False,
    "left": False,
    "exact": True,
    "fixed": "",
    "off": False,
    "name": "CFG gate, as released",
    "notes": [],
}
REPORT = {
    "finished": True,
    "evaluations": STEPS,
    "computed": STEPS,
    "seconds": 8.0,
    "saved": 2.0,
    "shares": {"guidance": 0.6},
    "bytes": 0,
    "host": 0,
    "less": [],
    "notes": [],
    "lesson": "",
}
BOTH = {"attention": 10, "mlp": 5, "guidance": 12}


def strings(node: ast.AST) -> Iterator[str]:
    """The strings below a node, with 7 in the place of each value."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
    elif isinstance(node, ast.Constant):
        yield from [node.value] if isinstance(node.value, str) else []
    else:
        for child in ast.iter_child_nodes(node):
            yield from strings(child)


def tells(node: ast.AST) -> bool:
    """True for what returns, raises, names or passes on a sentence."""
    if isinstance(node, ast.Assign):
        return not any(isinstance(to, ast.Name) and to.id.lower() == "summary" for to in node.targets)
    call = node.func if isinstance(node, ast.Call) else None
    return isinstance(node, ast.Return | ast.Raise | ast.Yield) or (
        isinstance(call, ast.Attribute) and call.attr in TELLING
    )


def is_method(node: ast.AST) -> bool:
    """True for the making of a method, whose summary is for the node's description."""
    value = getattr(node, "value", None)
    named = value.func if isinstance(value, ast.Call) else None
    return isinstance(named, ast.Name) and named.id in ("Method", "deepcache", "first_blocks")


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    """The sentences of FILES."""
    nodes = [node for path in FILES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    found = (text for node in nodes if tells(node) and not is_method(node) for text in strings(node))
    return sorted({text for text in found if len(text.split()) >= LEAST} - PARTS)


def rows(*states: str) -> dict:
    """A report with an evaluation in each of these states."""
    made = [[step, 1.0, state, 0.1] for step, state in enumerate(states)]
    shares = {kind.value: 0.5 for kind in Kind if kind is not Kind.BLOCKS}
    return {**REPORT, "name": "CFG gate", "model": "Wan", "steps": STEPS, "shares": shares, "rows": made}


@pytest.fixture(scope="module")
def said(sentences, tmp_path_factory) -> dict:
    """What words.mjs makes of guidance, of the sentences, and of reports: with every state, and without guidance."""
    run = {"running": False, "steps": STEPS, "rate": None, "notes": [], "report": REPORT}
    beside = {**REPORT, "shares": {"attention": 0.5, "mlp": 0.25, "guidance": 0.6}}
    cases = {
        "planned": {"plans": [PLAN]},
        "unknown": {"plans": [{**PLAN, "computed": {"guidance": 1}, "least": True, "rate": None}]},
        "beside others": {"plans": [{**PLAN, "computed": BOTH}], "runs": [{**run, "report": beside}]},
        "planned beside others": {"plans": [{**PLAN, "computed": BOTH}]},
        "ran": {"plans": [PLAN], "runs": [run]},
    }
    reports = [rows(*MARKS), rows(COMPUTE)]
    return spoken(tmp_path_factory.mktemp("scripts"), cases=cases, sentences=sentences, reports=reports)


def second(said: dict, language: str) -> dict[str, str]:
    """The second line of each case."""
    return {name: case["lines"][1][0] for name, case in said[language].items()}


def test_every_sentence_of_the_code_is_in_chinese(said, sentences):
    assert len(sentences) > 50
    assert not [
        text
        for text, chinese in zip(sentences, said["sentences"], strict=True)
        if not re.search(r"[\u4e00-\u9fff]", chinese) or re.search(r"\b(?:the|is|are|was|and)\b", chinese)
    ]


def test_a_sentence_made_of_others_is_in_chinese_with_them(tmp_path):
    english, chinese = zip(*WHOLE, strict=True)
    assert spoken(tmp_path, cases={}, sentences=english, reports=[])["sentences"] == [*chinese]


def test_the_line_below_says_how_often_the_negative_prompt_is_computed(said):
    assert second(said, "en") == {
        "planned": "negative prompt computed at 12 of 20 steps",
        "unknown": "negative prompt computed at 1 of 20 steps at least",
        "beside others": "computed: attention 50 %, MLP 25 % · negative prompt computed: 60 %",
        "planned beside others": "attention computed at 10, MLP at 5 of 20 steps · "
        "negative prompt computed at 12 of 20 steps",
        "ran": "negative prompt computed: 60 %",
    }


def test_and_says_so_in_chinese(said):
    assert not [line for line in second(said, "zh").values() if "负面提示词" not in line or "prompt" in line]


def test_every_state_of_a_report_has_its_mark_and_words_in_chinese(said):
    report = said["report"]
    assert "".join(MARKS.values()) in report.splitlines()
    assert "undefined" not in report
    assert report.count("1 只计算一个分支") == 1  # of two reports the other has no such state
    assert "引导：计算了 50 %" in report
    states = re.findall(r"^ *\d+ +1\.0000 +0\.1000  (.+)$", report, re.MULTILINE)
    assert len(states) == len(MARKS) + 1
    assert len({*states}) == len(MARKS)
