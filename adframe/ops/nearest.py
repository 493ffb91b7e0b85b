"""Nearest neighbours by cosine, in bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor

COLUMNS = 4096  # rows of the bank in a block; measured: docs/performance/notes.md


@torch.no_grad()
def topk_cosine(queries: Tensor, bank: Tensor, k: int = 1, budget: int = 16 << 20) -> Tensor:
    """The k largest cosines of each query to rows of the bank, shape (N, k), in no order.

    The result carries no gradient. Memory for similarities does not grow with N, nor with M
    except for k.

    Args:
        queries: (N, D) floating point, rows of unit length.
        bank: (M, D) likewise.
        k: number of neighbours; M where M is smaller.
        budget: bytes for a block of similarities.

    Raises:
        ValueError: the bank is empty, or its rows have another width.

    Example:
        >>> rows = torch.nn.functional.normalize(torch.randn(1000, 64))
        >>> topk_cosine(rows[:5], rows, k=3).shape
        torch.Size([5, 3])
    """
    if queries.shape[-1] != bank.shape[-1] or not len(bank):
        shape = tuple(bank.shape)
        raise ValueError(f"bank of shape {shape} does not fit queries of width {queries.shape[-1]}")
    if torch.compiler.is_exporting():  # a graph holds no loop over an unknown number of rows
        return (queries @ bank.T).topk(min(k, len(bank)), dim=1).values
    if k == 1:
        return _max_cosine(queries, bank, budget)[:, None]
    k = min(k, len(bank))
    columns = min(len(bank), max(k, COLUMNS))
    rows = max(1, budget // (2 * (columns + k) * queries.element_size()))
    found = queries.new_empty(len(queries), k)
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows]
        best = block.new_empty(len(block), 0)
        for first in range(0, len(bank), columns):
            both = torch.cat([best, block @ bank[first : first + columns].T], dim=1)
            best = both.topk(min(k, both.shape[1]), dim=1, sorted=False).values
        found[start : start + rows] = best
    return found


def _max_cosine(queries: Tensor, bank: Tensor, budget: int) -> Tensor:
    """Largest cosine of each query, shape (N,): a running maximum, faster than a selection."""
    columns = min(len(bank), COLUMNS)
    rows = max(1, min(len(queries), budget // (columns * queries.element_size())))
    room = queries.new_empty(rows * columns)  # reused, since fresh memory costs page faults
    best = queries.new_full((len(queries),), -torch.inf)
    for start in range(0, len(queries), rows):
        block, found = queries[start : start + rows], best[start : start + rows]
        for first in range(0, len(bank), columns):
            some = bank[first : first + columns]
            similar = room[: len(block) * len(some)].view(len(block), len(some))
            torch.mm(block, some.T, out=similar)
            torch.maximum(found, similar.amax(1), out=found)
    return best
