"""The examples of CONTRIBUTING.md work as they stand."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mirrors import Mirror
from toy import Bench, Marks, inputs, toy

from cache_core import MODULES, OUTPUT, ConfigError, Kind, Plan, Timeline
from cache_core.hosts import match
from cache_core.methods import Sampling, at_strength
from tests.methods.profiles import profile

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def example(monkeypatch):
    """A function that runs one of the Python examples, and returns its module."""

    def run(number):
        source = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[number]
        module = ModuleType(f"example_{number}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(source, module.__dict__)  # noqa: S102 - this project's own text
        return module, source

    return run


def test_the_host_is_recognised_and_reached_and_has_about_20_lines(example, monkeypatch):
    module, source = example(0)
    monkeypatch.setattr(sys.modules["cache_core.hosts.match"], "HOSTS", (module.MY_MODEL,))
    model = Mirror(module.MY_MODEL)
    assert match(model) is module.MY_MODEL
    bench = Bench(model, Plan(Marks("#.")), host=module.MY_MODEL)
    chance = torch.Generator().manual_seed(0)
    given = torch.randn(2, 6, 8, generator=chance), torch.rand(2, generator=chance)
    computed, reused = bench(*given), bench(*given)
    torch.testing.assert_close(reused, computed, atol=1e-5, rtol=1e-5)
    assert bench.run.evaluation.predicted_calls == {kind: bench.run.sites[kind] for kind in MODULES}
    assert not bench.run.demotions
    assert len(source.splitlines()) <= 20


def test_the_predictor_runs_as_it_is(example):
    mean = example(1)[0].Mean()
    bench, model = Bench(toy(), Plan(Marks("##.", OUTPUT), mean)), toy()
    outputs = [bench(*inputs(seed)) for seed in range(3)]
    torch.testing.assert_close(outputs[2], (model(*inputs(0), {}) + model(*inputs(1), {})) / 2)
    assert bench.run.evaluation.predicted_calls == {Kind.MODEL: 1}


def test_the_method_plans_from_a_recorded_picture_and_refuses_without(example):
    module, source = example(2)
    timeline = Timeline.even(10)
    sampling = Sampling(timeline, profile=profile(timeline, change=0.25))
    table = module.CHANGES.plan(sampling, 0.5).schedule.table(timeline)
    assert table.computed(Kind.MLP) == (0, 2, 4, 6, 8)
    half = at_strength(module.CHANGES, sampling, 0.5)
    assert module.CHANGES.plan(sampling, half).schedule.table(timeline) == table
    with pytest.raises(ConfigError, match="learned on this model"):
        module.CHANGES.plan(Sampling(timeline), 0.5)
    assert len(source.splitlines()) <= 90


def test_methods_are_in_files_of_at_most_90_lines():
    model = {"__init__.py", "method.py", "profile.py", "published.py", "entries.py"}
    files = [path for path in (ROOT / "cache_core" / "methods").glob("*.py") if path.name not in model]
    assert files
    assert not [path.name for path in files if len(path.read_text(encoding="utf-8").splitlines()) > 90]


def test_every_file_and_command_that_is_named_is_there():
    paths = set(
        re.findall(r"[\w./]*(?:scripts|tests|cache_core|nodes|lab|examples|\.github)/[\w./]+\.(?:py|yml)", TEXT)
    )
    assert len(paths) >= 8
    assert not [path for path in paths if not (ROOT / path).is_file()]
    assert not [
        name for name in re.findall(r"-m (lab\.\w+)", TEXT) if not (ROOT / f"{name.replace('.', '/')}.py").is_file()
    ]
