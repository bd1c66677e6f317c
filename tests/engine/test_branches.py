"""The unconditional branch predicted from the conditional one: alone, in bands, nested with the model's output, and
beside blocks."""

from dataclasses import dataclass, field

import pytest
import torch

from cache_core import MODULES, OUTPUT, Kind, Plan, Run, Steps, Timeline, report
from cache_core.predictor import Bands, Gain
from cache_core.run.branches import difference, low_band
from cache_core.run.engine import evaluate
from cache_core.show.timeline import done, planned, priced
from cache_core.site import BRANCHES

LINE = Timeline.even(10)


def noise(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@dataclass
class Guided:
    """A run of a model whose branches are `c_i = i c` and `u_i = c_i + d_i` at step i. `rows`: of each model call."""

    run: Run
    shape: tuple = (1, 2, 10, 12)
    rows: list = field(default_factory=list)

    def branch(self, step, both):
        return step * noise(1, *self.shape) + (noise(100 + step, *self.shape) if both else 0)

    def model(self, step, names):
        """One call of the model, with a row for each branch, through the engine."""
        self.rows.append(len(names))
        compute = torch.cat([self.branch(step, name == "uncond") for name in names])
        return evaluate(self.run, names, self.shape, lambda: compute).chunk(len(names))

    def step(self, step, line=LINE):
        """The raw outputs of the two branches at a step."""
        self.run.begin(line.sigmas[step])
        outputs = []

        def both():
            outputs[:] = self.model(step, ["cond", "uncond"])
            return outputs[1] - outputs[0]

        def alone():
            outputs[:] = [self.model(step, ["cond"])[0], None]

        predicted = difference(self.run, "pair", self.shape, both, alone, grid=len(self.shape) > 3)
        if predicted is not None:
            outputs[1] = outputs[0] + predicted
        return outputs

    def sample(self, line=LINE):
        return [self.step(step, line) for step in range(line.steps)]


def guidance(*computed, **how):
    return Plan(Steps(BRANCHES, computed), name="gate", **how)


def kept_difference(step, shape=(1, 2, 10, 12)):
    return noise(100 + step, *shape)


def test_the_second_branch_is_the_first_and_the_last_difference_and_is_no_row():
    guided = Guided(Run((guidance(0, 1, 4),), LINE))
    outputs = guided.sample()
    assert guided.rows == [2, 2, 1, 1, 2, 1, 1, 1, 1, 1]
    for step, (cond, uncond) in enumerate(outputs):
        last = max(s for s in (0, 1, 4) if s <= step)
        torch.testing.assert_close(uncond - cond, kept_difference(last), rtol=0, atol=1e-5)
    assert torch.equal(outputs[4][1], guided.branch(4, True))  # computed, so untouched


def test_the_report_and_the_timeline_show_the_second_branch():
    run = Run((guidance(0, 1, 4),), LINE)
    assert planned(run)["guidance"] == ["computed"] * 2 + ["reused"] * 2 + ["computed"] + ["reused"] * 5
    Guided(run).sample()
    told = report(run, "Toy", True)
    assert told.shares == {"guidance": 0.3}
    assert [row.state for row in told.rows] == ["compute"] * 2 + ["one branch"] * 2 + ["compute"] + ["one branch"] * 5
    assert "##11#11111" in told.text()
    assert done(run) == planned(run)
    assert priced(run.table, {"compute": 2.0, "one branch": 1.0}) == (13.0, 20.0)


def test_bands_add_up_to_the_whole_and_the_low_one_is_low():
    value, ramp = noise(3, 1, 2, 20, 15), torch.full((1, 1, 8, 8), 2.0)
    low = low_band(value)
    torch.testing.assert_close(low_band(low), low)  # a projection
    torch.testing.assert_close(low_band(value - low), torch.zeros_like(value), rtol=0, atol=1e-5)
    torch.testing.assert_close(low_band(ramp), ramp)
    assert 0 < float(low.norm()) < float(value.norm())


def banded(low, rest, compounding=False):
    sigmas = LINE.sigmas[:-1]
    return Bands(Gain(sigmas, (low,) * 10, compounding), Gain(sigmas, (rest,) * 10, compounding))


def test_bands_without_gains_are_the_whole_difference():
    outputs = Guided(Run((guidance(0, predictor=Bands(banded(1, 1).low, banded(1, 1.0001).rest)),), LINE)).sample()
    torch.testing.assert_close(outputs[5][1] - outputs[5][0], kept_difference(0), rtol=0, atol=1e-3)


@pytest.mark.parametrize(("compounding", "at", "factor"), [(False, 5, 1.2), (True, 1, 1.2), (True, 5, 1.2**5)])
def test_each_band_has_its_own_gain(compounding, at, factor):
    cond, uncond = Guided(Run((guidance(0, predictor=banded(1.2, 0.5, compounding)),), LINE)).sample()[at]
    whole = kept_difference(0)
    fading = 0.5**at if compounding else 0.5
    wanted = factor * low_band(whole) + fading * (whole - low_band(whole))
    torch.testing.assert_close(uncond - cond, wanted, rtol=0, atol=1e-5)


def test_a_latent_without_rows_and_columns_is_reused_whole():
    shape = (1, 4, 30)
    cond, uncond = Guided(Run((guidance(0, predictor=banded(1.2, 0.5)),), LINE), shape).sample()[3]
    torch.testing.assert_close(uncond - cond, kept_difference(0, shape), rtol=0, atol=1e-5)


def test_where_the_model_is_predicted_the_branches_are_as_at_the_last_step_that_ran():
    # the model runs at 0 2 4 6 8; of these the guidance is computed at the first and the third: 0 and 4
    model, gate = Plan(Steps(OUTPUT, (0, 2, 4, 6, 8)), name="AB"), Plan(EveryOther())
    run = Run((gate, model), LINE)
    states = [sorted(run.table.predicted(step)) for step in range(10)]
    assert states == [[], ["model"], ["guidance"], ["guidance", "model"]] * 2 + [[], ["model"]]
    assert run.table.work == 4.0
    guided = Guided(run)
    outputs = guided.sample()
    for step, source in ((1, 0), (5, 4), (9, 8)):  # each branch by its own past
        assert torch.equal(outputs[step][0], guided.branch(source, False))
        assert torch.equal(outputs[step][1], guided.branch(source, True))
    for step, source in ((3, 2), (7, 6)):  # the second by the difference that the last step had, too
        assert torch.equal(outputs[step][0], guided.branch(source, False))
        apart = outputs[step][1] - outputs[step][0]
        torch.testing.assert_close(apart, kept_difference(source - 2), rtol=0, atol=1e-5)
    assert done(run)["guidance"] == planned(run)["guidance"]
    assert planned(run)["guidance"] == ["computed", "resting", "reused", "resting"] * 2 + ["computed", "resting"]


@dataclass(frozen=True)
class EveryOther:
    """Both branches at every other step that is offered."""

    kinds = BRANCHES

    def table(self, timeline):
        return Steps(BRANCHES, tuple(range(0, timeline.steps, 2))).table(timeline)


def test_beside_blocks_both_branches_are_computed_only_where_the_blocks_are():
    run = Run((Plan(Steps(MODULES, (0, 3, 6, 9)), merge=True), Plan(EveryOther())), LINE)
    assert run.table.computed(Kind.GUIDANCE) == (0, 6)
    with_both = [step for step in range(10) if Kind.GUIDANCE not in run.table.predicted(step)]
    assert with_both == [0, 1, 2, 6, 7, 8]  # between, as at the last step that computed the blocks
    assert [step for step in range(10) if run.agenda.keeps(step, Kind.GUIDANCE)] == [0, 6]
    assert planned(run)["guidance"] == ["computed"] * 3 + ["reused"] * 3 + ["computed"] * 3 + ["reused"]


def test_a_pair_of_another_shape_or_prompt_is_computed():
    guided = Guided(Run((guidance(0),), LINE))
    guided.step(0)
    guided.step(1)
    guided.shape = (1, 2, 10, 14)
    guided.step(2)
    guided.step(3)
    assert guided.rows == [2, 1, 2, 1]
    assert guided.run.restarts


def test_a_difference_that_is_not_finite_is_not_kept():
    guided = Guided(Run((guidance(0),), LINE))
    guided.branch = lambda step, both: torch.full(guided.shape, float("nan") if both and step == 0 else 1.0)
    guided.step(0)
    guided.step(1)
    guided.step(2)
    assert guided.rows == [2, 2, 1]
    assert "NaN or infinity in guidance" in guided.run.demotions[0]


def test_memory_that_runs_out_while_keeping_computes_both_from_then_on(fail_clone):
    guided = Guided(Run((guidance(0),), LINE))
    fail_clone(1)
    assert torch.equal(guided.step(0)[1], guided.branch(0, True))
    guided.step(1)
    assert guided.rows == [2, 2]
    assert "from then on computed: guidance" in guided.run.demotions[0]


def test_memory_that_runs_out_in_the_model_is_no_fault_of_a_branch_that_was_left_out():
    guided = Guided(Run((guidance(0),), LINE))
    guided.step(0)
    guided.run.begin(LINE.sigmas[1])

    def full():
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(torch.OutOfMemoryError):
        difference(guided.run, "pair", guided.shape, full, lambda: evaluate(guided.run, ["cond"], (), full))
    assert not guided.run.demotions


def test_noise_of_the_sampler_takes_no_gain_away():
    run = Run((guidance(0, predictor=banded(1.2, 1.2)),), LINE)
    run.reuse("the sampler adds noise")
    cond, uncond = Guided(run).sample()[2]
    torch.testing.assert_close(uncond - cond, 1.2 * kept_difference(0), rtol=0, atol=1e-5)
    assert not run.notes
