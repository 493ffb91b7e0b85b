import math

import pytest
import torch
from torch import nn

from adframe_optimizers.adam import Adam


def test_steps_with_weight_decay_in_the_gradient_as_by_hand() -> None:
    lr, beta1, beta2, eps, decay = 0.1, 0.8, 0.9, 1e-3, 0.01
    value, mean, square, expected = 2.0, 0.0, 0.0, []
    for step in range(1, 4):
        gradient = 3 * value + decay * value
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient**2
        root = math.sqrt(square / (1 - beta2**step)) + eps
        value -= lr * mean / (1 - beta1**step) / root
        expected.append(value)

    parameter = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    built = Adam(lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=decay).build([parameter])
    path = []
    for _ in range(3):
        built.zero_grad()
        (1.5 * parameter**2).sum().backward()
        built.step()
        path.append(parameter.item())
    assert path == pytest.approx(expected, abs=1e-12)


def test_the_rate_is_constant_unless_a_cosine_is_asked_for() -> None:
    at = (0.0, 0.3, 0.5, 1.0)
    assert [Adam().rate(progress) for progress in at] == [1, 1, 1, 1]
    cosine = [(1 + math.cos(math.pi * progress)) / 2 for progress in at]
    assert [Adam(decay="cosine").rate(progress) for progress in at] == pytest.approx(cosine)


def test_the_rate_drops_to_a_tenth_at_each_share_and_rises_before() -> None:
    steps = Adam(drops=[0.5, 0.75])
    assert [steps.rate(at) for at in (0.0, 0.49, 0.5, 0.8)] == pytest.approx([1, 1, 0.1, 0.01])
    warm = Adam(decay="cosine", warmup=0.2)
    assert [warm.rate(at) for at in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])
