"""Nearest neighbours by cosine, in bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor

COLUMNS = 4096  # rows of the bank in a block; measured: docs/performance/notes.md


@torch.no_grad()
def max_cosine(queries: Tensor, bank: Tensor, budget: int = 16 << 20) -> Tensor:
    """(N,) the largest cosine of each query to any row of the bank; carries no gradient.

    Args:
        queries: (N, D) floating point, rows of unit length.
        bank: (M, D) likewise.
        budget: bytes for a block of similarities; memory does not grow with N or M.
    """
    if queries.shape[-1] != bank.shape[-1] or not len(bank):
        raise ValueError(f"a bank of shape {tuple(bank.shape)} for queries of {queries.shape[-1]}")
    columns = min(len(bank), COLUMNS)
    rows = max(1, min(len(queries), budget // (columns * queries.element_size())))
    room = queries.new_empty(rows * columns)  # one block for all: fresh memory costs page faults
    best = queries.new_full((len(queries),), -torch.inf)
    for start in range(0, len(queries), rows):
        block, found = queries[start : start + rows], best[start : start + rows]
        for first in range(0, len(bank), columns):
            some = bank[first : first + columns]
            similar = room[: len(block) * len(some)].view(len(block), len(some))
            torch.mm(block, some.T, out=similar)
            torch.maximum(found, similar.amax(1), out=found)
    return best
