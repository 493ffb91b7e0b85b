"""A small set of rows that stands for a large one."""

from __future__ import annotations

import torch
from torch import Tensor

COLUMNS = 32  # of the random projection in which distances are compared


def coreset(rows: Tensor, count: int) -> Tensor:
    """Indices of ``count`` rows, chosen greedily: the next is the farthest from all chosen ones.

    Distances are Euclidean, in a random projection of wide rows, as in PatchCore (Roth et al., CVPR
    2022), which keeps more columns. The first row is the one nearest to the mean. Takes time in
    proportion to the number of rows times ``count``.

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
    next_row = int((rows - rows.mean(0)).square().sum(1).argmin())
    chosen, distance = [next_row], torch.full((len(rows),), torch.inf)
    while len(chosen) < count:
        to_last = torch.addmv(square, rows, rows[next_row], alpha=-2).add_(square[next_row])
        torch.minimum(distance, to_last, out=distance)
        distance[next_row] = -torch.inf
        next_row = int(distance.argmax())
        chosen.append(next_row)
    return torch.tensor(sorted(chosen))
