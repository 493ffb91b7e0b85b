"""PatchCore and PaDiM, which compare cells of feature maps."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from adframe.interfaces import Count, Features, MapScorer, Positive, ViewSpec
from adframe.ops import centres, spread_scores

from .bank import Banked
from .dense import FeatureMap, Stage, cells_of, smoothing
from .places import Share


class Distance(Banked):
    """Euclidean distance to the nearest training image."""

    euclidean = True

    def rows(self, features: Features) -> Tensor:
        return features["features"].flatten(1)

    def score(self, features: Features) -> Tensor:
        rows = self.rows(features)
        if torch.compiler.is_exporting():
            squares = rows.square().sum(1, keepdim=True) - 2 * rows @ self.bank.T
            return (squares + self.bank.square().sum(1)).clamp(min=0).amin(1).sqrt()
        nearest = [torch.cdist(part, self.bank).amin(1) for part in torch.split(rows, 1024)]
        return torch.cat(nearest)


class PatchCore(FeatureMap):
    """Distance of each cell to the nearest of a coreset of cells (Roth et al., CVPR 2022).

    Made for networks pretrained on ImageNet; any backbone works. The image's score is the largest
    of the map. The paper's re-weighting by the neighbours of the nearest cell is not implemented.

    Args:
        stages: [published: 2 and 3] Stages of the backbone whose maps are joined.
        coreset: [published: 0.1, and 0.25 and 0.01] Share of the cells that is kept.
    """

    def __init__(
        self,
        stages: list[Stage] | None = None,
        grid: Annotated[int, Interval(ge=1, le=256)] | None = None,
        around: Annotated[int, Interval(ge=1, le=9)] = 3,
        share: Share = 1.0,
        coreset: Share = 0.1,
        regions: Annotated[int, Interval(ge=1, le=16)] = 1,
        sigma: Positive | None = None,
    ) -> None:
        super().__init__(
            stages,
            grid,
            around,
            of=Distance(),
            share=share,
            coreset=coreset,
            regions=regions,
            sigma=sigma,
        )


class PaDiM(MapScorer):
    """Mahalanobis distance of each cell to the training images' cells at the same place.

    Defard et al. (ICPR Workshops 2020). For parts that always lie alike. Made for networks
    pretrained on ImageNet; any backbone works.

    Args:
        stages: [published: 1, 2 and 3] Stages of the backbone whose maps are joined.
        columns: [published: 100 for ResNet-18] Number of channels that are kept, drawn at random.
        grid: [published: those of the finest stage, 56] Cells along the longer side of an image; by
            default those of the finest stage, at most 32 (a guess).
        ridge: [published: 0.01] Added to the variances.
        limit: [guess: 1000] Largest number of training images to fit on, the first ones.
        sigma: [published: 4 pixels at a side of 224] Standard deviation in pixels of the Gaussian
            that smooths the map.
    """

    def __init__(
        self,
        stages: list[Stage] | None = None,
        columns: Count = 100,
        grid: Annotated[int, Interval(ge=1, le=128)] | None = None,
        ridge: Positive = 0.01,
        limit: Count = 1000,
        sigma: Positive | None = None,
    ) -> None:
        self.stages = sorted({1, 2, 3} if stages is None else set(stages))
        self.columns = columns
        self.grid = grid
        self.ridge = ridge
        self.limit = limit
        self.sigma = sigma

    def view_spec(self) -> ViewSpec:
        return ViewSpec(outputs=(), stages=tuple(self.stages))

    def collect(self, features: Features) -> Features:
        cells = self._joined(features)
        channels = self._channels(cells.shape[1])
        rows = features["index"] < self.limit
        return {"cells": cells[rows][:, channels], "channels": channels.expand(int(rows.sum()), -1)}

    def fit(self, features: Features) -> None:
        cells = features["cells"].double()  # (N, D, rows, columns)
        rows = cells.flatten(2).permute(2, 0, 1)  # (places, N, D)
        mean = rows.mean(1, keepdim=True)
        centred = rows - mean
        spread_of = centred.mT @ centred / max(1, rows.shape[1] - 1)
        spread_of.diagonal(dim1=1, dim2=2).add_(self.ridge)
        inverse = torch.linalg.cholesky(spread_of).inverse()
        self.channels = features["channels"][0]  # (D,)
        self.mean = mean[:, 0].float()  # (places, D)
        self.whiten = inverse.float()  # (places, D, D)

    def maps(self, features: Features) -> Tensor:
        cells = self._joined(features)[:, self.channels]
        rows = cells.flatten(2).permute(2, 0, 1) - self.mean[:, None]
        distance: Tensor = (rows @ self.whiten.mT).square().sum(2).sqrt()  # (places, N)
        grid: Tensor = distance.T.reshape(-1, *cells.shape[-2:])
        size: list[int] = features["size"][0].tolist()
        down, across = map(centres, grid.shape[1:], size)
        return spread_scores(grid, down, across, size, self.sigma or smoothing(size))

    def _joined(self, features: Features) -> Tensor:
        """All channels, (N, channels, rows, columns)."""
        return cells_of(features, self.stages, self.grid, around=1)[:, 0, 0]

    def _channels(self, count: int) -> Tensor:
        """The channels that are kept, in ascending order."""
        generator = torch.Generator().manual_seed(0)
        return torch.randperm(count, generator=generator)[: self.columns].sort().values
