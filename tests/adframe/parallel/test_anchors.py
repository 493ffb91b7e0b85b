"""Anchors that ranks share give what one process computes."""

import pytest
import torch

import adframe.ops.contrastive
from adframe.interfaces import Views
from adframe.ops import by_anchors
from adframe.parallel.rows import sharing
from adframe.parallel.world import ALONE
from adframe.testing.ranks import on_ranks
from adframe_droc.loss import DROCContrastive
from adframe_firm.loss import FIRM
from adframe_unicon_ha.loss import UniCLR


def soft_ranks(own, level, others, scale):
    """A value for each anchor that depends on itself and on all others."""
    return (own @ others.T * scale).logsumexp(1) * level


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("count", [2, 3, 7, 8])
def test_ranks_compute_what_one_process_computes(size, count):
    torch.manual_seed(0)
    drawn = torch.randn(count, 4).double(), torch.rand(count).double(), torch.rand(()).double()
    seen = []

    def found(world):
        z, level, scale = (value.clone().requires_grad_() for value in drawn)

        def counted(own, *given):
            seen.append(len(own))
            return soft_ranks(own, *given)

        with sharing(world):
            value = by_anchors(counted, [z * 2, level.detach()], [z, scale])
        (value * torch.arange(count)).sum().backward()
        return value, z.grad, scale.grad

    alone = found(ALONE)
    assert seen == [count]
    for each in on_ranks(size, found):
        torch.testing.assert_close(each, alone, rtol=1e-12, atol=1e-13)
    assert sum(seen[1:]) == (count if count >= size else size * count)


def test_a_function_that_returns_something_else_is_an_error():
    def found(world):
        with sharing(world):
            return by_anchors(lambda own: own, [torch.rand(4, 2)])

    with pytest.raises(ValueError, match="one value for each anchor"):
        on_ranks(2, found)


@pytest.mark.parametrize(
    "loss",
    [
        DROCContrastive(),
        FIRM(),
        UniCLR(),
        UniCLR(soft_aggregation="pairwise"),
        UniCLR(soft_aggregation="printed"),
    ],
    ids=["droc", "firm", "uniclr", "pairwise", "printed"],
)
def test_losses_are_the_same(loss, monkeypatch):
    monkeypatch.setattr(adframe.ops.contrastive, "BLOCKED_FROM", 0)
    shift = torch.arange(3).repeat_interleave(7)
    views = Views(torch.arange(7).repeat(3), shift, torch.full((21,), -1), shift == 0).repeat(2)
    drawn = torch.randn(42, 6, generator=torch.Generator().manual_seed(0)).double()

    def found(world):
        z = drawn.clone().requires_grad_()
        with sharing(world):
            value = loss(z, views)
        value.backward()
        return value, z.grad

    alone = found(ALONE)
    for each in on_ranks(2, found):
        torch.testing.assert_close(each, alone, rtol=1e-9, atol=1e-12)
