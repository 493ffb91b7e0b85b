import pytest
import torch
from torch import nn

from adframe.interfaces import Optimizer
from adframe_optimizers.adam import Adam
from adframe_optimizers.sgd import SGD

POLICIES = {
    "sgd": (SGD(lr=0.1), torch.optim.SGD, {"momentum": 0.9, "weight_decay": 3e-4}),
    "nesterov": (
        SGD(lr=0.1, nesterov=True), torch.optim.SGD,
        {"momentum": 0.9, "weight_decay": 3e-4, "nesterov": True},
    ),
    "plain": (SGD(lr=0.1, momentum=0.0, weight_decay=0.0), torch.optim.SGD, {}),
    "adam": (Adam(lr=0.1, weight_decay=0.1), torch.optim.Adam, {"weight_decay": 0.1}),
}  # fmt: skip
LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_steps_as_pytorchs_plain_loop_in_every_memory_layout(
    name: str, dtype: torch.dtype, layout: torch.memory_format
) -> None:
    policy, kind, options = POLICIES[name]
    generator = torch.Generator().manual_seed(0)
    start, *gradients = torch.randn(5, 4, 3, 3, 3, generator=generator, dtype=dtype)
    weight = nn.Parameter(start.to(memory_format=layout, copy=True))
    idle = nn.Parameter(torch.ones(2))  # no gradient: stays
    plain = nn.Parameter(start.clone())
    optimizer = policy.build([weight, idle])
    assert optimizer.defaults["fused"]
    oracle = kind([plain], lr=0.1, foreach=False, **options)
    for gradient in gradients:
        weight.grad = gradient.to(memory_format=layout, copy=True)
        plain.grad = gradient
        optimizer.step()
        oracle.step()
    torch.testing.assert_close(weight.detach(), plain.detach())
    assert idle.tolist() == [1, 1]


def test_autograd_makes_gradients_in_the_layout_of_their_weights() -> None:
    """A fused step needs that. Here: a channels-last network on images of either layout."""
    for layout in LAYOUTS:
        network = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1, bias=False), nn.Flatten(), nn.Linear(36, 2)
        ).to(memory_format=torch.channels_last)
        network(torch.ones(2, 3, 5, 5).to(memory_format=layout)).sum().backward()
        for weight in network.parameters():
            assert weight.grad is not None
            assert weight.grad.stride() == weight.stride()


@pytest.mark.parametrize("policy", [SGD(), Adam()])
def test_what_cannot_be_fused_gets_a_plain_step(policy: Optimizer) -> None:
    parameter = nn.Parameter(torch.ones(2, dtype=torch.complex64))
    optimizer = policy.build([parameter])
    parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert not optimizer.defaults["fused"]
    assert bool((parameter.real < 1).all())
