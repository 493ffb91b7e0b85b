"""Tests of all bundled optimisers."""

import pytest
import torch
from torch import nn

from adframe.interfaces import Optimizer
from adframe_optimizers.adam import Adam
from adframe_optimizers.lars import LARS
from adframe_optimizers.sgd import SGD


@pytest.mark.parametrize("policy", [SGD(), SGD(nesterov=True), Adam(), LARS()])
def test_a_parameter_may_get_its_first_gradient_late(policy: Optimizer) -> None:
    """As the heads of stages that a schedule does not train at once."""
    early, late = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
    optimizer = policy.build([early, late])
    early.sum().backward()
    optimizer.step()
    assert late.tolist() == [1, 1, 1]
    (early.sum() + late.sum()).backward()
    optimizer.step()
    assert bool((late < 1).all())
