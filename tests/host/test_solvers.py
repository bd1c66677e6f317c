"""The lab's solvers step as ComfyUI's samplers of the same names do."""

from types import SimpleNamespace

import pytest
import torch

from lab.sample import flow_sigmas
from lab.solvers import SOLVERS

# ComfyUI takes DEIS's integrals as sums of 10,000 points, of a clock of float32 constants; the others differ by
# rounding alone.
TOLERANCE = {"euler": 1e-12, "ipndm": 1e-12, "deis": 1e-5, "res_multistep": 1e-12}


def denoise(x: torch.Tensor, sigma: torch.Tensor | float) -> torch.Tensor:
    """A toy model's denoised sample: it bends with x and with sigma."""
    return torch.tanh(1.5 * x - 0.4) * (1 - 0.5 * sigma**2) + 0.1 * x.roll(1, -1)


def velocity(x: torch.Tensor, sigma: float) -> torch.Tensor:
    return (x - denoise(x, sigma)) / sigma


def comfyui(name: str, noise: torch.Tensor, sigmas: tuple[float, ...]) -> torch.Tensor:
    from comfy.k_diffusion import sampling

    def model(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return denoise(x, sigma[:, None])

    # asked for a scale of noise that nothing adds
    patcher = SimpleNamespace(get_model_object=lambda name: SimpleNamespace())
    model.inner_model = SimpleNamespace(model_patcher=patcher)
    return getattr(sampling, f"sample_{name}")(
        model, noise, torch.tensor(sigmas, dtype=noise.dtype), extra_args={}, disable=True
    )


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # ComfyUI's deis.py calls numpy.log on a tensor
@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 6, 20, 50])
@pytest.mark.parametrize("name", SOLVERS)
def test_samples_are_comfyuis(name, steps, shift):
    noise = torch.randn(4, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigmas = flow_sigmas(steps, shift)
    mine, theirs = SOLVERS[name](velocity, noise, sigmas), comfyui(name, noise, sigmas)
    assert float((mine - theirs).norm() / theirs.norm()) < TOLERANCE[name]
