"""Tensors that cannot be read as others are, and the name of one that can."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode


@pytest.fixture
def weights(pack):
    return __import__(f"{pack.__name__}.nodes.comfy.weights", fromlist=["weights"])


class Packed(torch.Tensor):
    """As GGUF loaders make them: bytes that tell the shape of what they unpack to."""

    @property
    def shape(self):
        return torch.Size((64, 64))


def fake():
    with FakeTensorMode():
        return torch.randn(64, 64)


VALUES = torch.arange(4096.0).reshape(64, 64)
ODD = {
    "meta": lambda: torch.empty(64, 64, device="meta"),
    "fake": fake,
    "sparse": lambda: VALUES.to_sparse(),
    "complex": lambda: VALUES * 1j,
    "quint8": lambda: torch.quantize_per_tensor(VALUES, 0.1, 0, torch.quint8),
    "bool": lambda: VALUES > 9,
    "none": lambda: torch.empty(0, 4),
    "scalar": lambda: torch.tensor(3.0),
    "fp8": lambda: VALUES.to(torch.float8_e4m3fn),
    "expanded": lambda: torch.ones(()).expand(64, 64),
    "packed": lambda: torch.arange(1152).to(torch.uint8).as_subclass(Packed),
    "gradient": lambda: VALUES.clone().requires_grad_(),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_an_odd_tensor_has_a_name(weights, kind):
    value = ODD[kind]()
    assert weights.digest(value) == weights.digest(value) != weights.digest(torch.ones(3))


def test_bytes_of_packed_data_count_not_the_shape_that_they_tell(weights):
    a = torch.arange(1152).to(torch.uint8)
    assert weights.digest(a.as_subclass(Packed)) != weights.digest(a.flip(0).as_subclass(Packed))


def test_a_tensor_without_memory_has_the_name_of_the_zeros_that_it_becomes(weights):
    assert weights.digest(torch.empty(64, 64, device="meta")) == weights.digest(torch.zeros(64, 64))


@pytest.mark.parametrize("shape", [(64, 64), (4, 8, 3, 3), (5,), (3, 7, 5)])
def test_how_a_tensor_lies_in_memory_does_not_count(weights, shape):
    value = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    spread = torch.empty(*shape[:-1], 2 * shape[-1])[..., ::2].copy_(value)
    turned = value.transpose(0, -1).contiguous().transpose(0, -1)
    assert weights.digest(value) == weights.digest(spread) == weights.digest(turned)


def test_a_name_is_the_same_on_every_machine(weights):
    module = nn.Sequential(nn.Linear(4, 4), nn.ModuleList([nn.LayerNorm(4), nn.Linear(8, 16)]))
    with torch.no_grad():
        for number, value in enumerate(module.parameters()):
            value.copy_(torch.arange(value.numel()).reshape(value.shape) + number)
    name = weights.weights_of(module)
    assert name == "9ba99e0263362da6174631c3b18a0f770272cd6ad4ef98893eb9b469ab91250b"
    assert weights.weights_of(module.to(torch.float64)) != name
    assert weights.weights_of(module.to(torch.float32)) == name
