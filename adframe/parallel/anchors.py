"""Work on anchors that the processes share: each anchor is compared with rows that all have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from adframe.parallel.rows import current, entered, own_rows
from adframe.parallel.world import World


def by_anchors(
    function: Callable[..., Tensor], anchors: Sequence[Tensor], others: Sequence[Tensor] = ()
) -> Tensor:
    """Compute a value for each anchor of a loss, from it and from rows that it is compared with.

    Where several processes train one network, each has all rows. Then each process computes the
    values of its share of the anchors, and gets those of all; gradients are those of one process.
    So time, and memory for pairs, are divided by the number of processes. With one process, or
    outside of a training step, this calls the function.

    Args:
        function: takes one tensor for each of ``anchors`` and of ``others``; returns (A,), one
            value for each anchor that it gets. It gets some of the anchors, in the same order, and
            treats each separately. It draws no random numbers, and uses no other tensors that
            carry a gradient.
        anchors: tensors (A, ...), one row for each anchor.
        others: tensors that the function needs whole.

    Returns:
        (A,), the values of all anchors.

    Example:
        >>> def far(own, all_rows):
        ...     return (own @ all_rows.T).logsumexp(1)
        >>> z = torch.randn(8, 4, requires_grad=True)
        >>> by_anchors(far, [z], [z]).mean().backward()
    """
    world, count = current(), len(anchors[0])
    if world.size == 1 or count < world.size:
        return function(*anchors, *others)
    # In turns: neighbours are alike, and may need more work than others.
    turns = torch.cat([torch.arange(rank, count, world.size) for rank in range(world.size)])
    places = torch.cat([turns[share].sort().values for share in world.shares(count)])
    places = places.to(anchors[0].device)
    given = [_own(rows, places, world) for rows in anchors]
    with own_rows():
        values = function(*given, *(entered(rows, world) for rows in others))
    whole: Tensor = _All.apply(values, places, world)
    return whole


def _own(rows: Tensor, places: Tensor, world: World) -> Tensor:
    """The anchors of this process."""
    if rows.requires_grad and torch.is_grad_enabled():
        taken: Tensor = _Own.apply(rows, places, world)
        return taken
    return rows[places[world.share(len(places))]]


def _in_place(values: Tensor, places: Tensor, world: World) -> Tensor:
    """The values of all anchors, from those of each process."""
    whole = values.new_empty(len(places), *values.shape[1:])
    whole[places] = world.gather(values, len(places))
    return whole


class _Own(torch.autograd.Function):
    """The anchors of this process; the gradient of all is gathered."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, places: Tensor, world: World) -> Tensor:
        ctx.places, ctx.world = places, world
        return rows[places[world.share(len(places))]]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, pull: Tensor) -> tuple[Tensor | None, ...]:
        return _in_place(pull, ctx.places, ctx.world), None, None


class _All(torch.autograd.Function):
    """The values of all anchors; a process gets the gradient of its anchors."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, places: Tensor, world: World) -> Tensor:
        ctx.own = places[world.share(len(places))]
        if values.shape != ctx.own.shape:
            raise ValueError("by_anchors: the function must return one value for each anchor")
        return _in_place(values, places, world)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, pull: Tensor) -> tuple[Tensor | None, ...]:
        return pull[ctx.own], None, None
