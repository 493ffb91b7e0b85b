"""Gradients with less memory are the same gradients."""

import copy

import pytest
import torch
from torch import nn

from adframe.ops import early_gradient, recomputed


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))


def gradients(module: nn.Module) -> list[torch.Tensor]:
    return [parameter.grad for parameter in module.parameters()]


def test_early_gradients_add_up_to_that_of_the_sum():
    early, late = network(), network()
    parts = torch.rand(3, 2, 3, 8, 8)
    total = sum(early_gradient(early(x).square().mean(), list(early.parameters())) for x in parts)
    (2 * total).backward()
    expected = sum(late(x).square().mean() for x in parts)
    (2 * expected).backward()
    assert total.item() == expected.item()
    torch.testing.assert_close(gradients(early), gradients(late))


def test_an_early_gradient_frees_the_graph():
    module = network()
    loss = module(torch.rand(2, 3, 8, 8)).sum()
    early_gradient(loss, list(module.parameters()))
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_frozen_parameters_and_gradients_that_are_off_change_nothing():
    module = network()
    module[0].weight.requires_grad_(False)
    loss = early_gradient(module(torch.rand(2, 3, 8, 8)).sum(), list(module.parameters()))
    loss.backward()
    assert module[0].weight.grad is None
    assert module[0].bias.grad is not None
    with torch.no_grad():
        plain = module(torch.rand(2, 3, 8, 8)).sum()
        assert early_gradient(plain, list(module.parameters())) is plain


def test_recomputing_keeps_values_gradients_and_running_statistics():
    twice, once = network(), network()
    images = torch.rand(2, 3, 8, 8)
    recomputed(twice, images).square().sum().backward()
    once(images).square().sum().backward()
    assert gradients(twice)[0].equal(gradients(once)[0])
    assert twice.state_dict().keys() == once.state_dict().keys()
    for name, value in twice.state_dict().items():
        assert value.equal(once.state_dict()[name]), name


def test_recomputing_keeps_the_input_only():
    module, kept = network(), []
    images = torch.rand(2, 3, 8, 8)

    def note(value: torch.Tensor) -> torch.Tensor:
        kept.append(value.shape)
        return value

    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
        recomputed(copy.deepcopy(module), images)
        outer = len(kept)
        module(images)
    assert outer < len(kept) - outer
