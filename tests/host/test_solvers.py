"""The lab's solvers, sigmas and rules of other caches are ComfyUI's of the same names."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from lab.easycache import END, EVERY, START, EasyCache
from lab.sample import flow_sigmas, simple_sigmas
from lab.solvers import SOLVERS

# ComfyUI takes DEIS's integrals as sums of 10,000 points, of a clock of float32 constants; the others differ by
# rounding alone.
TOLERANCE = dict.fromkeys(SOLVERS, 1e-12) | {"deis": 1e-5}


@pytest.fixture
def in_float64() -> Iterator[None]:
    """The context in which ComfyUI's UniPC, whose coefficients have the default type, samples in float64. In float32 it
    is 1e-5 to 3e-4 away from that, the more steps the more."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def denoise(x: torch.Tensor, sigma: torch.Tensor | float) -> torch.Tensor:
    """A toy model's denoised sample: it bends with x and with sigma."""
    return torch.tanh(1.5 * x - 0.4) * (1 - 0.5 * sigma**2) + 0.1 * x.roll(1, -1)


def velocity(x: torch.Tensor, sigma: float) -> torch.Tensor:
    return (x - denoise(x, sigma)) / sigma


def comfyui(name: str, noise: torch.Tensor, sigmas: tuple[float, ...]) -> torch.Tensor:
    from comfy.extra_samplers.uni_pc import sample_unipc
    from comfy.k_diffusion import sampling

    def model(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return denoise(x, sigma[:, None])

    # asked for a scale of noise that nothing adds
    patcher = SimpleNamespace(get_model_object=lambda name: SimpleNamespace())
    model.inner_model = SimpleNamespace(model_patcher=patcher)
    function = sample_unipc if name == "uni_pc" else getattr(sampling, f"sample_{name}")
    return function(model, noise, torch.tensor(sigmas, dtype=noise.dtype), extra_args={}, disable=True)


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # ComfyUI's deis.py calls numpy.log on a tensor
@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 6, 20, 50])
@pytest.mark.parametrize("name", SOLVERS)
def test_samples_are_comfyuis(name, steps, shift):
    if (name, steps) == ("uni_pc", 1):
        pytest.skip("ComfyUI's takes no step and returns the noise")
    noise = torch.randn(4, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigmas = flow_sigmas(steps, shift)
    mine, theirs = SOLVERS[name](velocity, noise, sigmas), comfyui(name, noise, sigmas)
    assert float((mine - theirs).norm() / theirs.norm()) < TOLERANCE[name]


@pytest.mark.parametrize("shift", [1, 3, 5, 7, 8])
@pytest.mark.parametrize("steps", [8, 10, 20, 25, 30, 38, 40, 50])  # 38: where 1000 / steps is rounded up, it counts
def test_simple_sigmas_are_comfyuis(steps, shift):
    from comfy.model_sampling import ModelSamplingDiscreteFlow
    from comfy.samplers import simple_scheduler

    sampling = ModelSamplingDiscreteFlow()
    sampling.set_parameters(shift=shift)
    assert simple_sigmas(steps, shift) == tuple(simple_scheduler(sampling, steps).tolist())


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.2, 0.6, 3.0])
def test_the_rule_of_easycache_is_comfyuis(threshold, shift):
    from comfy.model_sampling import ModelSamplingDiscreteFlow
    from comfy_extras.nodes_easycache import EasyCacheHolder, easycache_forward_wrapper

    sampling = ModelSamplingDiscreteFlow()
    sampling.set_parameters(shift=shift)
    holder = EasyCacheHolder(threshold, START, END, EVERY, offload_cache_diff=False, output_channels=4)
    holder.prepare_timesteps(sampling)
    ran = []

    def model(x: torch.Tensor, sigma: float, options: dict) -> torch.Tensor:
        ran.append(sigma)
        return velocity(x, sigma)

    def theirs(x: torch.Tensor, sigma: float) -> torch.Tensor:
        holder.skip_current_step = False  # as ComfyUI's wrapper of an evaluation does
        options = {"easycache": holder, "sigmas": torch.tensor([sigma]), "uuids": ["cond"]}
        return easycache_forward_wrapper(model, x.clone(), sigma, options)  # it adds in place

    noise = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    mine, sigmas = EasyCache(velocity, threshold, shift), simple_sigmas(20, shift)
    torch.testing.assert_close(SOLVERS["euler"](mine, noise, sigmas), SOLVERS["euler"](theirs, noise, sigmas))
    assert mine.computed == len(ran)
    assert (mine.computed == 20) == (threshold == 0)
