"""Nearest neighbours by cosine, in bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor


def max_cosine(queries: Tensor, bank: Tensor, budget: int = 64 << 20) -> Tensor:
    """(N,) the largest cosine of each query to any row of the bank.

    Args:
        queries: (N, D) floating point, rows of unit length.
        bank: (M, D) likewise.
        budget: bytes for a block of similarities; memory does not grow with N or M.
    """
    if queries.shape[-1] != bank.shape[-1] or not len(bank):
        raise ValueError(f"a bank of shape {tuple(bank.shape)} for queries of {queries.shape[-1]}")
    columns = min(len(bank), 8192)
    rows = max(1, budget // (columns * queries.element_size()))
    best = queries.new_full((len(queries),), -torch.inf)
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows]
        for first in range(0, len(bank), columns):
            similar = (block @ bank[first : first + columns].T).amax(1)
            best[start : start + rows] = torch.maximum(best[start : start + rows], similar)
    return best
