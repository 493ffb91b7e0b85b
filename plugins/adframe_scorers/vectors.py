"""What most scores compare: one vector an image."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Features, Scorer, ViewSpec

Output = Literal["features", "projection"]
Covariance = Literal["empirical", "ledoit_wolf"]


class VectorScorer(Scorer):
    """A score of one vector an image: the named output for the image as it is.

    Args:
        output: [published: features] What is compared: pooled features or the projection.
    """

    output: Output

    def view_spec(self) -> ViewSpec:
        return ViewSpec(outputs=(self.output,))


def unit_rows(features: Features, output: str = "features") -> Tensor:
    """(N, D) float32 unit vectors: the views' unit vectors, averaged, and made unit again."""
    return F.normalize(F.normalize(features[output].float(), dim=-1).mean(dim=(1, 2)), dim=-1)


def mean_rows(features: Features, output: str = "features") -> Tensor:
    """(N, D) float32: the views as the network gives them, averaged."""
    return features[output].float().mean(dim=(1, 2))


def thinned(rows: Tensor, limit: int | None) -> Tensor:
    """At most ``limit`` rows, evenly spaced."""
    if limit is None or len(rows) <= limit:
        return rows
    return rows[torch.arange(limit) * len(rows) // limit]


def covariance(rows: Tensor, how: Covariance) -> Tensor:
    """(D, D) float64 covariance of (N, D) rows: divided by N, or shrunk as Ledoit and Wolf do."""
    if how == "ledoit_wolf":
        from sklearn.covariance import ledoit_wolf

        return torch.from_numpy(ledoit_wolf(rows.double().numpy())[0])
    centred = rows.double() - rows.double().mean(0)
    return centred.T @ centred / len(rows)


def spread_of(rows: Tensor) -> Tensor:
    """(D,) standard deviations to divide by; infinite where rows do not vary, so that gives 0."""
    spread = rows.std(0, correction=0)
    return spread.where(spread > 1e-10, torch.inf)
