"""Scores by the nearest training images."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe.interfaces import Augmentation, Count, Features, ViewCount, ViewSpec

from .search import Neighbours, Search, Searching
from .vectors import Output, VectorScorer, unit_rows


class NearestCosine(Searching):
    """Cosine distance to the nearest training image (Wang et al., ICCV 2023, Eq. 10).

    The score is 1 - max_m cosine(f(x), f(x_m)) over training images x_m, in 0..2. f is the pooled
    feature of the last stage, l2-normalised per view and averaged over the test-time views. The
    training images get the same views.

    Args:
        augmentation: Augmentation of the test-time views, at full strength; none by default. The
            paper uses test-time augmentation and does not state which.
        views: [inferred: CSI's code] Number of test-time views that are averaged.
        apply_shifts: [guess: false] Also compares the image under each shift with the training
            images under the same shift and averages, as CSI's score does. Each variant costs as
            many views again.
    """

    def __init__(
        self,
        augmentation: Augmentation | None = None,
        views: ViewCount = 10,
        apply_shifts: bool = False,
        search: Search = "exact",
        probes: Count = 32,
    ) -> None:
        self.neighbours = Neighbours(search, probes)
        self.augmentation = augmentation
        self.views = views if augmentation is not None else 1
        self.apply_shifts = apply_shifts

    def view_spec(self) -> ViewSpec:
        return ViewSpec(
            views=self.views, transform=self.augmentation, apply_shifts=self.apply_shifts
        )

    def fit(self, features: Features) -> None:
        self.bank = torch.stack(_by_shift(features))  # (shifts + 1 or 1, M, D)

    def score(self, features: Features) -> Tensor:
        return 1 - torch.stack(self.neighbours(_by_shift(features), self.bank)).mean(0)

    def distances(self, features: Features) -> Tensor:
        pairs = zip(_by_shift(features), self.bank, strict=True)
        return 1 - torch.stack([rows @ bank.T for rows, bank in pairs]).mean(0)


def _by_shift(features: Features) -> list[Tensor]:
    """Unit vectors under each shift that was requested."""
    shifts = torch.split(features["features"], 1, dim=2)
    return [unit_rows({"features": seen}) for seen in shifts]


class KNN(Searching, VectorScorer):
    """Mean cosine distance to the k nearest training images.

    The score is 1 - cosine(f(x), f(x_m)), averaged over the k nearest, in 0..2. With k = 1 it is
    the nearest-neighbour score of Sohn et al. (ICLR 2021).

    Args:
        k: [inferred: DROC's code, 1] Number of neighbours; all if there are fewer.
    """

    def __init__(
        self,
        output: Output = "features",
        k: Count = 1,
        search: Search = "exact",
        probes: Count = 32,
    ) -> None:
        self.neighbours = Neighbours(search, probes)
        self.output = output
        self.k = k

    def fit(self, features: Features) -> None:
        self.bank = unit_rows(features, self.output)

    def score(self, features: Features) -> Tensor:
        (cosine,) = self.neighbours([unit_rows(features, self.output)], self.bank, self.k)
        return 1 - cosine

    def distances(self, features: Features) -> Tensor:
        return 1 - unit_rows(features, self.output) @ self.bank.T
