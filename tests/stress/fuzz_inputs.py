"""Any values for the nodes' widgets and any requests for a preview, by Hypothesis."""

import json
import warnings
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

NUMBERS = st.one_of(
    st.integers(),
    st.integers(0, 30),
    st.floats(),
    st.floats(0, 1),
    st.sampled_from((10**400, -(10**400), 2**63, 1e308, 5e-324)),
)
STEPS = st.integers(0, 12000).map(str)
SHORT = st.integers(0, 30).map(str)
PARTS = st.one_of(
    SHORT,
    SHORT,
    STEPS,
    st.tuples(STEPS, STEPS).map("-".join),
    st.sampled_from(("", "-", "1-", "-1", "9-1", "٣", "1e3", " 2 ")),
)
STEP_TEXTS = st.one_of(st.lists(PARTS, max_size=30), st.lists(SHORT).map(lambda steps: ["0", *steps])).map(",".join)
VERBS = st.sampled_from(("compute", "compute", "reuse", ""))
SITES = st.sampled_from(("attention", "mlp", "both", "model"))
EDITS = st.lists(st.tuples(VERBS, SITES, STEP_TEXTS).map(" ".join), max_size=8).map(";".join)
LONG = ("0-9999," * 9000, "compute both 0-9999;" * 3000, "1," * 30_000, ";" * 60_000, "reuse mlp 0-" + "9" * 50_000)
TEXTS = st.one_of(st.text(max_size=40), STEP_TEXTS, EDITS, st.integers(0, len(LONG) - 1).map(LONG.__getitem__))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def wild(kind: object) -> st.SearchStrategy:
    """Values of a widget's type, as a link may bring them, whatever the widget's own range."""
    if isinstance(kind, list):
        return st.one_of(st.sampled_from(kind), st.text(max_size=9))
    return {"BOOLEAN": st.booleans(), "INT": st.integers(), "FLOAT": st.floats(), "STRING": TEXTS}[kind]


def sound(kind: object, about: dict) -> st.SearchStrategy:
    """Values that the widget itself can hold."""
    if isinstance(kind, list):
        return st.sampled_from(kind)
    numbers = {"INT": st.integers, "FLOAT": st.floats}
    if kind in numbers:
        return numbers[kind](about["min"], about["max"])
    return st.booleans() if kind == "BOOLEAN" else st.one_of(st.just(""), STEP_TEXTS, EDITS)


def widgets(inputs: dict[str, dict], odd: st.SearchStrategy | None = None) -> st.SearchStrategy:
    """Values for some of a node's widgets (`inputs`: its INPUT_TYPES): all sound, but for a few of their type, or of
    `odd`."""
    specs = {
        name: spec
        for group in ("required", "optional")
        for name, spec in inputs[group].items()
        if "default" in (*spec, {})[1]
    }
    all_sound = st.fixed_dictionaries({}, optional={name: sound(*spec) for name, spec in specs.items()})
    some = st.lists(
        st.sampled_from(sorted(specs)).flatmap(lambda name: st.tuples(st.just(name), odd or wild(specs[name][0]))),
        max_size=2,
    ).map(dict)
    return st.tuples(all_sound, some).map(lambda drawn: {**drawn[0], **drawn[1]})


def sigmas() -> st.SearchStrategy:
    """Falling sigmas, one or more steps, of flow models and of others."""
    inner = st.lists(st.floats(1e-4, 200), min_size=1, max_size=60, unique=True)
    return st.tuples(inner, st.booleans()).map(
        lambda drawn: (*sorted(drawn[0], reverse=True), *(0.0 for _ in range(drawn[1] or len(drawn[0]) == 1)))
    )


def requests(nodes: dict[str, dict[str, dict]]) -> st.SearchStrategy:
    """Bodies of requests for a preview of one of `nodes` (their INPUT_TYPES): sound ones, ones with any JSON
    somewhere in them, and any bytes."""
    samplers = st.one_of(
        st.sampled_from(("euler", "uni_pc", "dpmpp_2m", "euler_ancestral", "euler_cfg_pp")), st.text(max_size=9)
    )
    sampling = st.fixed_dictionaries(
        {},
        optional={
            "steps": st.one_of(st.integers(1, 60), st.integers(1, 20_000), NUMBERS, JSON),
            "sampler": samplers,
            "scheduler": st.one_of(st.just("simple"), st.text(max_size=9)),
            "denoise": st.one_of(st.floats(0.01, 1), NUMBERS),
            "start": st.one_of(st.integers(0, 5), NUMBERS),
            "end": st.one_of(st.integers(1, 99), NUMBERS),
            "whole": st.one_of(st.booleans(), JSON),
            "sigmas": st.one_of(st.lists(st.floats(0, 2), max_size=12), st.lists(NUMBERS, max_size=3), JSON),
            "flipped": st.one_of(st.booleans(), JSON),
        },
    )
    plans = st.one_of(
        st.none(),
        JSON,
        st.fixed_dictionaries({"name": st.one_of(st.text(max_size=30), st.just("kept.safetensors"), JSON)}),
    )
    edits = st.one_of(
        st.none(),
        JSON,
        st.fixed_dictionaries(
            {},
            optional={
                "kind": st.one_of(st.sampled_from(("attention", "mlp", "model", "blocks")), JSON),
                "compute": st.one_of(st.booleans(), JSON),
                "steps": st.one_of(st.lists(st.integers(0, 70), max_size=9), JSON),
            },
        ),
    )

    def of(cls: str) -> st.SearchStrategy:
        given_widgets = st.one_of(widgets(nodes[cls]), widgets(nodes[cls], st.one_of(NUMBERS, JSON)), JSON)
        return st.fixed_dictionaries(
            {"class": st.just(cls)},
            optional={
                "node": JSON,
                "widgets": given_widgets,
                "sampling": st.one_of(sampling, JSON),
                "plan": plans,
                "edit": edits,
            },
        )

    asked = st.one_of(*map(of, nodes), JSON).map(lambda asked: json.dumps(asked).encode())
    spoiled = st.tuples(asked, st.binary(max_size=9)).map(lambda drawn: drawn[0][:20] + drawn[1] + drawn[0][20:])
    return st.one_of(asked, asked, asked, st.binary(max_size=200), spoiled)


def each(strategy: st.SearchStrategy, count: int, judge: Callable[[object], None]) -> None:
    """Call `judge` with `count` inputs, or with all there are; the same ones each time."""

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def judged(drawn: object) -> None:
        judge(drawn)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)  # that the printed form of a long text is long
        judged()
