"""Comparison of the layout of images: feature maps on a coarse grid, place by place."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Count, Features, MapScorer, Positive, ViewSpec
from adframe.ops import centres, spread_scores

from .bank import Banked
from .dense import Stage, cells_of, smoothing


class NearestGrid(Banked, MapScorer):
    """Cosine distance to the training image whose feature maps are most alike, place by place.

    The maps are brought to a coarse grid. Each channel gets unit length, so that all channels count
    alike and contrast does not matter. The score is 1 minus the
    mean over channels of the cosine to the nearest training image, in 0..2. For parts that always
    lie alike. It needs no training: see the backbone ``edge_filters``.

    The map distributes the score over the places, by the squared difference to that of the
    ``k`` nearest training images which is nearest at each place. Its mean is the score.

    Args:
        stages: [guess: 1] Stages of the backbone whose maps are joined.
        grid: [guess: 16] Cells along the longer side of an image.
        power: [guess: 0.5] Exponent of the absolute values on the grid; less than 1 makes strong
            edges count less.
        centred: [guess: false] Subtracts from each channel its mean over the places of the image,
            so that brightness does not matter. For the backbone ``edge_filters``.
        k: [guess: 5] Training images that the map compares with.
        sigma: [guess: 4 pixels at a side of 224] Standard deviation in pixels of the Gaussian that
            spreads the map.
    """

    def __init__(
        self,
        stages: list[Stage] | None = None,
        grid: Annotated[int, Interval(ge=2, le=128)] = 16,
        power: Annotated[float, Interval(gt=0, le=2)] = 0.5,
        centred: bool = False,
        k: Count = 5,
        sigma: Positive | None = None,
    ) -> None:
        self.stages = sorted({1} if stages is None else set(stages))
        self.grid = grid
        self.power = power
        self.centred = centred
        self.k = k
        self.sigma = sigma

    def view_spec(self) -> ViewSpec:
        return ViewSpec(outputs=(), stages=tuple(self.stages))

    def collect(self, features: Features) -> Features:
        return {"rows": self.rows(features)}

    def fit(self, features: Features) -> None:
        self.bank = features["rows"]

    def rows(self, features: Features) -> Tensor:
        return features["rows"] if "rows" in features else self._cells(features).flatten(1)

    def _cells(self, features: Features) -> Tensor:
        """(N, D, rows, columns), of unit length for each image."""
        cells = cells_of(features, self.stages, self.grid, around=1)[:, 0, 0]
        cells = cells.sign() * cells.abs() ** self.power
        if self.centred:
            cells = cells - cells.mean((2, 3), keepdim=True)
        unit = F.normalize(cells.flatten(2), dim=2).view_as(cells)
        scaled: Tensor = unit / unit.shape[1] ** 0.5
        return scaled

    def maps(self, features: Features) -> Tensor:
        cells = self._cells(features)
        cosine = cells.flatten(1) @ self.bank.T
        best = cosine.topk(min(self.k, len(self.bank)), dim=1)
        near = self.bank[best.indices].view(*best.indices.shape, *cells.shape[1:])
        apart = (cells[:, None] - near).square().sum(2).amin(1)  # (N, rows, columns)
        size: list[int] = features["size"][0].tolist()
        down, across = map(centres, apart.shape[1:], size)
        spread = spread_scores(apart, down, across, size, self.sigma or smoothing(size))
        mean = spread.mean((1, 2), keepdim=True)
        score = (1 - best.values[:, 0]).clamp(min=0)[:, None, None]
        return torch.where(mean > 0, spread / mean.clamp(min=1e-20), 1.0) * score

    def reduce(self, maps: Tensor) -> Tensor:
        return maps.mean((1, 2))
