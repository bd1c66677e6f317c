"""A sampler is told by what it does to the state, not by its name."""

import pytest
import torch

from cache_core.run.sampler_trace import SamplerTrace
from lab import solvers

SIGMAS = tuple(1 - i / 12 for i in range(13))


def velocity(x, sigma):
    """Smooth, and not linear in x."""
    return torch.tanh(x * (1 + sigma)) - 0.3 * x.roll(1, -1)


def followed(steps, mask=None, dtype=torch.float32):
    """The trace of `steps(evaluate, x)`, a sampler."""
    trace, seen = SamplerTrace(mask), []

    def evaluate(x, sigma):
        trace.begin(next((i for i, s in reversed(list(enumerate(SIGMAS))) if s >= sigma * 0.9999), 0), x)
        out = velocity(x.float(), sigma).to(x.dtype)
        trace.end(x - sigma * out)
        seen.append(trace.foreign)
        return out

    steps(evaluate, torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0)).to(dtype))
    return trace, seen


def euler(noise=0.0, at=None):
    def steps(evaluate, x):
        generator = torch.Generator().manual_seed(1)
        for i, (sigma, after) in enumerate(zip(SIGMAS[:-1], SIGMAS[1:], strict=True)):
            x = x + (after - sigma) * evaluate(x, sigma)
            if noise and (at is None or at == i):
                x = x + noise * torch.randn(x.shape, generator=generator)

    return steps


@pytest.mark.parametrize("name", sorted(solvers.SOLVERS))
def test_the_solvers_of_the_lab_follow_the_model_alone(name):
    trace, _ = followed(lambda evaluate, x: solvers.SOLVERS[name](evaluate, x, SIGMAS))
    assert not trace.foreign
    assert not trace.rose


@pytest.mark.parametrize("noise", [0.3, 0.01])
def test_noise_is_seen_at_the_next_evaluation(noise):
    trace, seen = followed(euler(noise, at=4))
    assert trace.foreign
    assert seen.index(True) == 5


def test_a_state_in_half_precision_is_no_noise():
    for dtype in (torch.bfloat16, torch.float16):
        assert not followed(euler(), dtype=dtype)[0].foreign


def test_what_a_mask_holds_is_not_looked_at():
    mask = torch.zeros(1, 4, 16, 16)
    mask[..., :8] = 1
    held = torch.randn(mask.shape, generator=torch.Generator().manual_seed(2))

    def inpainting(evaluate, x):
        for i, (sigma, after) in enumerate(zip(SIGMAS[:-1], SIGMAS[1:], strict=True)):
            x = torch.where(mask > 0, x, held * (1 + i * held.roll(i)))  # whatever is put there
            x = x + (after - sigma) * evaluate(x, sigma)

    assert followed(inpainting)[0].foreign
    assert not followed(inpainting, mask)[0].foreign


def test_a_jump_back_in_the_sampling_is_seen_once():
    rose = []
    trace = SamplerTrace()
    for step in (*range(8), *range(4, 8)):
        trace.begin(step, torch.zeros(1, 4, 16, 16))
        trace.end(torch.zeros(1, 4, 16, 16))
        rose.append(trace.rose)
    assert [i for i, r in enumerate(rose) if r] == [8]
