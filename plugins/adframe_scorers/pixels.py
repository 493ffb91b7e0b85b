"""Scores of raw pixels, without a network."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Features, Scorer, ViewSpec
from adframe.ops import topk_cosine


class RawPixels(Scorer):
    """Distance of an image's pixels to those of the nearest training image.

    The floor that each run reports, as a scorer. A network should be better; where it is not, this
    is a detector that needs no training.

    Args:
        measure: [guess: cosine] ``cosine`` of pixels minus their mean, so that brightness and
            contrast do not matter, or Euclidean distance (``l2``) of pixels in 0..1.
    """

    def __init__(self, measure: Literal["cosine", "l2"] = "cosine") -> None:
        self.measure = measure

    def view_spec(self) -> ViewSpec:
        return ViewSpec(outputs=("pixels",))

    def fit(self, features: Features) -> None:
        self.bank = self._rows(features)

    def score(self, features: Features) -> Tensor:
        rows = self._rows(features)
        if self.measure == "cosine":
            return 1 - topk_cosine(rows, self.bank)[:, 0]
        return torch.cdist(rows, self.bank).amin(1)

    def distances(self, features: Features) -> Tensor:
        rows = self._rows(features)
        return 1 - rows @ self.bank.T if self.measure == "cosine" else torch.cdist(rows, self.bank)

    def _rows(self, features: Features) -> Tensor:
        rows = features["pixels"].flatten(1)
        return F.normalize(rows - rows.mean(1, keepdim=True)) if self.measure == "cosine" else rows
