"""Scores by a bank with one row for each training image."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from adframe.interfaces import Features, Scorer

from .coreset import coreset

BLOCK = 16 << 20  # distances that are computed at once


class Banked(Scorer):
    """A score that compares with a bank of training images, kept as ``self.bank``.

    The bank has the shape (M, D), or (shifts, M, D) whose similarities are averaged.
    """

    bank: Tensor
    euclidean: bool = False  #: whether rows are compared by Euclidean distance, not by cosine

    @abstractmethod
    def rows(self, features: Features) -> Tensor:
        """Rows of images, as they lie in the bank."""

    def fit(self, features: Features) -> None:
        self.bank = self.rows(features)

    def nearest(self, features: Features, count: int) -> tuple[Tensor, Tensor]:
        queries, bank = _with_shifts(self.rows(features)), _with_shifts(self.bank)
        count = min(count, bank.shape[1])
        found = []
        for block in torch.split(queries, max(1, BLOCK // bank.shape[1]), dim=1):
            far = torch.cdist(block, bank) if self.euclidean else 1 - block @ bank.mT
            found.append(far.mean(0).topk(count, largest=False))
        return torch.cat([top.indices for top in found]), torch.cat([top.values for top in found])

    def grow(self, features: Features, limit: int | None) -> Tensor:
        joined = torch.cat([self.bank, self.rows(features)], dim=-2)
        kept = torch.arange(joined.shape[-2])
        if limit is not None and limit < len(kept):
            kept = coreset(_with_shifts(joined).permute(1, 0, 2).flatten(1), limit)
            joined = joined[..., kept, :]
        self.bank = joined.contiguous()
        return kept


def _with_shifts(rows: Tensor) -> Tensor:
    return rows if rows.ndim == 3 else rows[None]
