"""What a sampling did, seen from outside the pack: calls of the model and of the attention kernel, and what was
kept."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import torch


@dataclass
class Seen:
    """One evaluation of a run: its step, the model calls it took, and their attention kernels."""

    step: int
    calls: int = 0
    kernels: int = 0


@dataclass
class SeenRun:
    """One run of the pack, by what the sampler was to do: its steps, and the evaluations that there were."""

    steps: int
    evaluations: list[Seen] = field(default_factory=list)

    @property
    def clock(self) -> tuple[int, ...]:
        return tuple(seen.step for seen in self.evaluations)


@dataclass
class Trace:
    """`runs`: each of the pack's runs, in the order in which they began. `calls`, `kernels`: of everything, with a
    cache or without. `kept`: weak references to every tensor that a store has held. `stores`: of every run."""

    runs: list[SeenRun] = field(default_factory=list)
    calls: int = 0
    kernels: int = 0
    kept: list[weakref.ref] = field(default_factory=list)
    stores: list = field(default_factory=list)
    now: Seen | None = None

    def called(self) -> None:
        self.calls += 1
        if self.now:
            self.now.calls += 1

    def attended(self) -> None:
        self.kernels += 1
        if self.now:
            self.now.kernels += 1


@contextmanager
def traced(pack_name: str) -> Iterator[Trace]:
    """A trace of what is sampled inside."""
    from sys import modules

    from comfy.model_base import BaseModel

    run = modules[f"{pack_name}.cache_core.run.run"].Run
    kept = modules[f"{pack_name}.cache_core.store.value"].Kept
    trace, born, begin, close, keep = Trace(), run.__init__, run.begin, run.close, kept.__init__
    apply, attend = BaseModel._apply_model, torch.nn.functional.scaled_dot_product_attention
    numbers: dict[int, int] = {}

    def on_birth(self, *args, **kwargs):
        born(self, *args, **kwargs)
        numbers[id(self.store)] = len(trace.runs)
        trace.runs.append(SeenRun(self.timeline.steps))
        trace.stores.append(self.store)

    def on_begin(self, *args, **kwargs):
        evaluation = begin(self, *args, **kwargs)
        trace.now = Seen(evaluation.step)
        trace.runs[numbers[id(self.store)]].evaluations.append(trace.now)
        return evaluation

    def on_close(self):
        trace.now = None
        close(self)

    def on_keep(self, *args, **kwargs):
        keep(self, *args, **kwargs)
        trace.kept += [weakref.ref(part) for part in self.parts]

    def on_apply(self, *args, **kwargs):
        trace.called()
        return apply(self, *args, **kwargs)

    def on_attend(*args, **kwargs):
        trace.attended()
        return attend(*args, **kwargs)

    with (
        patch.object(run, "__init__", on_birth),
        patch.object(run, "begin", on_begin),
        patch.object(run, "close", on_close),
        patch.object(kept, "__init__", on_keep),
        patch.object(BaseModel, "_apply_model", on_apply),
        patch.object(torch.nn.functional, "scaled_dot_product_attention", on_attend),
    ):
        yield trace
