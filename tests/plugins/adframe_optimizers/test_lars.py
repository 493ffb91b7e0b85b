import math
from copy import deepcopy

import pytest
import torch
from torch import nn

from adframe_optimizers.lars import LARS


def length(values: list[float]) -> float:
    return math.sqrt(sum(value * value for value in values))


def by_hand(
    weights: list[float], gradient: list[float], steps: int, lr: float, momentum: float,
    decay: float, trust: float, eps: float,
) -> list[float]:  # fmt: skip
    velocity: list[float] | None = None
    for _ in range(steps):
        w, g = length(weights), length(gradient)
        factor = trust * w / (g + decay * w + eps) if w > 0 and g > 0 else 1.0
        scaled = [factor * (b + decay * a) for a, b in zip(weights, gradient, strict=True)]
        if velocity is None:
            velocity = scaled
        else:
            velocity = [momentum * v + s for v, s in zip(velocity, scaled, strict=True)]
        weights = [a - lr * v for a, v in zip(weights, velocity, strict=True)]
    return weights


@pytest.mark.parametrize(
    ("weights", "gradient"),
    [([2.0, -1.0], [3.0, 0.5]), ([0.0, 0.0], [3.0, 0.5]), ([2.0, -1.0], [0.0, 0.0])],
)
@pytest.mark.parametrize("decay", [1e-6, 0.1])
def test_every_tensor_moves_as_by_hand(
    weights: list[float], gradient: list[float], decay: float
) -> None:
    options = {"lr": 0.3, "momentum": 0.5, "trust": 0.01, "eps": 1e-8}
    policy = LARS(**options, weight_decay=decay)
    parameter, other = (
        nn.Parameter(torch.tensor(weights, dtype=torch.float64)),
        nn.Parameter(torch.tensor([7.0], dtype=torch.float64)),  # with another norm
    )
    idle = nn.Parameter(torch.ones(2))  # no gradient: stays
    optimizer = policy.build([parameter, other, idle])
    for _ in range(3):
        optimizer.zero_grad()
        loss = (parameter * torch.tensor(gradient, dtype=torch.float64)).sum() + 5 * other.sum()
        loss.backward()
        optimizer.step()
    for moved, start, slope in ((parameter, weights, gradient), (other, [7.0], [5.0])):
        expected = by_hand(start, slope, 3, decay=decay, **options)
        assert moved.tolist() == pytest.approx(expected, abs=1e-12)
    assert idle.tolist() == [1, 1]


def test_the_rate_climbs_from_the_start_to_one_and_falls_to_zero() -> None:
    policy = LARS(warmup=0.1, start=0.1)
    assert policy.rate(0) == pytest.approx(0.1)
    assert policy.rate(0.05) == pytest.approx(0.55)
    assert policy.rate(0.1) == pytest.approx(1)
    assert policy.rate(0.55) == pytest.approx(0.5)
    assert policy.rate(1) == pytest.approx(0, abs=1e-12)


def test_by_default_it_is_csis_schedule() -> None:
    # 0.1 climbing to 1.0 over 10 of 1,000 epochs
    policy = LARS()
    assert policy.lr * policy.rate(0.005) == pytest.approx((0.1 + 1.0) / 2)


def test_it_resumes_where_it_was() -> None:
    def step(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> None:
        optimizer.zero_grad()
        parameter.square().sum().backward()
        optimizer.step()

    whole = nn.Parameter(torch.tensor([2.0, 1.0]))
    optimizer = LARS().build([whole])
    step(optimizer, whole)
    halfway, state = nn.Parameter(whole.detach().clone()), deepcopy(optimizer.state_dict())
    step(optimizer, whole)
    resumed = LARS().build([halfway])
    resumed.load_state_dict(state)
    step(resumed, halfway)
    assert torch.equal(whole, halfway)
