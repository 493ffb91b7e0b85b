"""A small set of rows that stands for a large one."""

from __future__ import annotations

import torch
from torch import Tensor

COLUMNS = 32  # of the random projection in which distances are compared
POOL = 2048  # farthest rows that are looked at together


def coreset(rows: Tensor, count: int) -> Tensor:
    """Indices of ``count`` rows, chosen greedily: the next is the farthest from all chosen ones.

    Distances are Euclidean, in a random projection of wide rows, as in PatchCore (Roth et al., CVPR
    2022), which keeps more columns. The first row is the one nearest to the mean.

    Distances to chosen rows only shrink. So as long as one of the ``POOL`` farthest rows is farther
    than every row outside of the pool was, it is the next choice. The distances of all rows are
    updated once for all rows that a pool gave.

    Args:
        rows: (M, D) floating point.
        count: 1 to M.

    Returns:
        (count,) int64, in ascending order.
    """
    rows = rows.float()
    if rows.shape[1] > COLUMNS:
        generator = torch.Generator().manual_seed(0)
        rows = rows @ torch.randn(rows.shape[1], COLUMNS, generator=generator) / COLUMNS**0.5
    square = rows.square().sum(1)
    new = (rows - rows.mean(0)).square().sum(1).argmin()[None]
    distance, chosen = torch.full((len(rows),), torch.inf), [new]
    left = count - 1
    while left:
        for part in torch.split(new, 256):
            to_new = torch.addmm(square[part], rows, rows[part].T, alpha=-2).amin(1).add_(square)
            torch.minimum(distance, to_new, out=distance)
        distance[new] = -torch.inf
        new = _next(rows, square, distance, left)
        chosen.append(new)
        left -= len(new)
    return torch.cat(chosen).sort().values


def _next(rows: Tensor, square: Tensor, distance: Tensor, most: int) -> Tensor:
    """The next choices, at least one, that are certain without the rows outside of a pool."""
    far = distance.topk(min(POOL + 1, len(rows)))
    bound = far.values[-1] if len(far.values) > POOL else torch.tensor(-torch.inf)
    pool, left = far.indices[:POOL], far.values[:POOL].clone()
    inside, lengths = rows[pool], square[pool]
    chosen: list[int] = []
    while len(chosen) < most:
        place = int(left.argmax())
        if chosen and left[place] < bound:
            break
        chosen.append(place)
        to_last = torch.addmv(lengths, inside, inside[place], alpha=-2).add_(lengths[place])
        torch.minimum(left, to_last, out=left)
        left[place] = -torch.inf
    return pool[chosen]
