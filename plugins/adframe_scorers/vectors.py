"""One vector per image, which most scores compare."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Features, Scorer, ViewSpec

Output = Literal["features", "projection"]
Covariance = Literal["empirical", "ledoit_wolf"]


class VectorScorer(Scorer):
    """A score of one vector per image: one output of the network for the image as it is.

    Args:
        output: [published: features] Vectors that are compared: pooled features or the projection.
    """

    output: Output

    def view_spec(self) -> ViewSpec:
        return ViewSpec(outputs=(self.output,))


def unit_rows(features: Features, output: str = "features") -> Tensor:
    """Mean of the views' unit vectors, normalised again, shape (N, D), float32."""
    return F.normalize(F.normalize(features[output].float(), dim=-1).mean(dim=(1, 2)), dim=-1)


def mean_rows(features: Features, output: str = "features") -> Tensor:
    """Mean of the views' vectors as the network gives them, shape (N, D), float32."""
    return features[output].float().mean(dim=(1, 2))


def thinned(rows: Tensor, limit: int | None) -> Tensor:
    """At most ``limit`` rows, evenly spaced; all for None."""
    if limit is None or len(rows) <= limit:
        return rows
    return rows[torch.arange(limit) * len(rows) // limit]


def covariance(rows: Tensor, how: Covariance) -> Tensor:
    """Covariance of (N, D) rows, (D, D) float64: divided by N, or shrunk (Ledoit and Wolf)."""
    if how == "ledoit_wolf" and len(rows) > 1:  # of one row it is 0 either way
        from sklearn.covariance import ledoit_wolf

        return torch.from_numpy(ledoit_wolf(rows.double().numpy())[0])
    centred = rows.double() - rows.double().mean(0)
    return centred.T @ centred / len(rows)


def spread_of(rows: Tensor) -> Tensor:
    """Standard deviations to divide by, shape (D,). Infinite if rows do not vary, to give 0."""
    spread = rows.std(0, correction=0)
    return spread.where(spread > 1e-10, torch.inf)
