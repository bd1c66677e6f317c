"""Models newer than the releases of the host tests, on mirrors of their blocks: names, arguments and habits."""

from collections import Counter
from functools import partial

import pytest
import torch
from newer import Kandinsky6, QwenImage21
from toy import Bench, Marks, inputs

from cache_core import Plan
from cache_core.hosts import match
from cache_core.run.run import Run

MODELS = {
    "Qwen-Image 2.1": QwenImage21,
    "Qwen-Image 2.1, text kept": partial(QwenImage21, keeps=True),
    "Kandinsky 6": Kandinsky6,
}
STATES = {False: "#a#m#.#", True: "#.#..#."}


@pytest.fixture(params=MODELS)
def make(request):
    return MODELS[request.param]


@pytest.mark.parametrize("name", MODELS)
def test_it_is_recognised(name):
    assert match(MODELS[name]()).name == name.split(",")[0]


@pytest.mark.parametrize("merge", [False, True])
def test_computing_everything_changes_nothing(make, merge):
    bench, plain = Bench(make(), Plan(Marks(""), merge=merge)), make()
    for seed in (0, 0, 0):
        assert torch.equal(bench(*inputs(seed)), plain(*inputs(seed), {}))


@pytest.mark.parametrize("merge", [False, True])
def test_every_state_replays_what_was_computed_from_the_same_input(make, merge):
    bench, wanted = Bench(make(), Plan(Marks(STATES[merge]), merge=merge)), make()(*inputs(), {})
    for _ in STATES[merge]:
        torch.testing.assert_close(bench(*inputs()), wanted, atol=1e-5, rtol=1e-5)
    assert bench.run.demotions == []
    assert bench.run.merged == merge
    assert bench.run.evaluations[1].predicted_calls


def test_each_site_fires_once_though_blocks_run_apart_on_tokens_that_stay(make, monkeypatch):
    fired, remember = Counter(), Run.remember

    def counted(self, kind, site, value):
        fired[len(self.evaluations), site] += 1
        return remember(self, kind, site, value)

    monkeypatch.setattr(Run, "remember", counted)
    bench = Bench(make(), Plan(Marks("#a#m")))
    for _ in range(4):
        bench(*inputs())
    assert set(fired.values()) == {1}


def test_text_is_kept_by_the_model_from_the_first_call_even_if_the_blocks_rest_in_the_next():
    model = QwenImage21(keeps=True)
    bench = Bench(model, Plan(Marks("#.#"), merge=True))
    first = bench(*inputs(0))
    assert len(model.kept) == 3
    image, time, text = inputs(1)[0], inputs(1)[1], inputs(0)[2]
    assert not torch.equal(bench(image, time, text), first)
    assert bench.run.evaluation.predicted_calls
    plain = QwenImage21(keeps=True)
    plain(*inputs(0), {})
    assert torch.equal(bench(image, time, text), plain(image, time, text, {}))


def test_transformer_options_given_by_place_are_seen():
    """Another node that looks at queries and keys has its say."""
    bench = Bench(QwenImage21(), Plan(Marks("#.#.")))
    for _ in range(2):
        bench(*inputs(), options={"patches": {"attn1_patch": [print]}})
    assert any("looks at the queries and keys" in text for text in bench.run.demotions)
