import math

import pytest
import torch
from torch import nn

from adframe_optimizers.sgd import SGD


def walk(optimizer: SGD, steps: int) -> list[float]:
    """Where one parameter of 2.0 goes under a gradient that is always 3.0."""
    parameter = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    built = optimizer.build([parameter])
    path = []
    for _ in range(steps):
        built.zero_grad()
        (3 * parameter).sum().backward()
        built.step()
        path.append(parameter.item())
    return path


def test_steps_with_momentum_and_weight_decay_as_by_hand() -> None:
    lr, momentum, decay = 0.1, 0.5, 0.01
    first = 2 - lr * (3 + decay * 2)
    velocity = momentum * (3 + decay * 2) + (3 + decay * first)
    expected = [first, first - lr * velocity]
    path = walk(SGD(lr=lr, momentum=momentum, weight_decay=decay), 2)
    assert path == pytest.approx(expected, abs=1e-12)


def test_steps_with_nesterov_as_by_hand() -> None:
    lr, momentum = 0.1, 0.5
    first = 2 - lr * (3 + momentum * 3)
    second = first - lr * (3 + momentum * (momentum * 3 + 3))
    path = walk(SGD(lr=lr, momentum=momentum, weight_decay=0.0, nesterov=True), 2)
    assert path == pytest.approx([first, second], abs=1e-12)


def test_by_default_it_is_the_recipe_of_the_paper_and_of_droc() -> None:
    first = 2 - 0.01 * (3 + 3e-4 * 2)
    expected = [first, first - 0.01 * (0.9 * (3 + 3e-4 * 2) + 3 + 3e-4 * first)]
    assert walk(SGD(), 2) == pytest.approx(expected, abs=1e-12)


def test_without_momentum_every_step_is_the_gradient() -> None:
    path = walk(SGD(lr=0.1, momentum=0.0, weight_decay=0.0), 3)
    assert path == pytest.approx([1.7, 1.4, 1.1], abs=1e-12)


@pytest.mark.parametrize(
    ("progress", "rate"),
    [
        (0, 1),
        (1 / 4, (2 + math.sqrt(2)) / 4),
        (1 / 3, 3 / 4),
        (1 / 2, 1 / 2),
        (2 / 3, 1 / 4),
        (1, 0),
    ],
)
def test_the_rate_is_one_cosine_from_one_to_zero(progress: float, rate: float) -> None:
    assert SGD().rate(progress) == pytest.approx(rate, abs=1e-12)


def test_the_rate_is_pytorchs_cosine_annealing() -> None:
    built = SGD(lr=1.0).build([nn.Parameter(torch.zeros(1))])
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(built, T_max=20)
    for step in range(20):
        assert SGD().rate(step / 20) == pytest.approx(annealing.get_last_lr()[0], abs=1e-9)
        built.step()
        annealing.step()


def test_warmup_climbs_from_zero_in_a_straight_line() -> None:
    optimizer = SGD(warmup=0.2)
    rates = [optimizer.rate(at) for at in (0.0, 0.05, 0.1, 0.15)]
    assert rates == pytest.approx([0, 0.25, 0.5, 0.75])


def test_after_warmup_the_rate_falls_to_zero() -> None:
    rates = [SGD(warmup=0.2).rate(at / 100) for at in range(20, 101)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.9
    assert rates[-1] == pytest.approx(0, abs=1e-12)


def test_a_run_may_be_all_warmup() -> None:
    rates = [SGD(warmup=1.0).rate(at) for at in (0.0, 0.5, 0.99)]
    assert rates == pytest.approx([0, 0.5, 0.99])


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ValueError, match="momentum"):
        SGD(momentum=0.0, nesterov=True)
