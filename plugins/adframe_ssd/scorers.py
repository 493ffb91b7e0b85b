"""Mahalanobis distances, the anomaly scores of SSD."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe.interfaces import Count, Features
from adframe_scorers.vectors import (
    Covariance,
    Output,
    VectorScorer,
    covariance,
    spread_of,
    unit_rows,
)


class Mahalanobis(VectorScorer):
    """Squared Mahalanobis distance to the nearest training cluster (Sehwag et al., ICLR 2021).

    Unit vectors are standardised with the mean and standard deviation of the training images.
    k-means finds the clusters. Directions in which a cluster does not vary are ignored, since the
    covariance is pseudo-inverted. Clusters of one image are excluded.

    Args:
        clusters: [published: 1] Number of clusters.
        estimate: [published: empirical] Estimate of a cluster's covariance. ``ledoit_wolf`` shrinks
            it, for few training images.
    """

    def __init__(
        self,
        output: Output = "features",
        clusters: Count = 1,
        estimate: Covariance = "empirical",
    ) -> None:
        self.output = output
        self.clusters = clusters
        self.estimate = estimate

    def fit(self, features: Features) -> None:
        rows = unit_rows(features, self.output).double()
        self.centre, self.spread = rows.mean(0), spread_of(rows)
        rows = (rows - self.centre) / self.spread
        groups = [group for group in _clusters(rows, self.clusters) if len(group) > 1] or [rows]
        self.means = torch.stack([group.mean(0) for group in groups])
        self.precisions = torch.stack([_precision(group, self.estimate) for group in groups])

    def score(self, features: Features) -> Tensor:
        rows, pairs = self._standard(features), zip(self.means, self.precisions, strict=True)
        return torch.stack([distance(rows, *pair) for pair in pairs]).amin(0).float()

    def _standard(self, features: Features) -> Tensor:
        return (unit_rows(features, self.output).double() - self.centre) / self.spread


def distance(rows: Tensor, mean: Tensor, precision: Tensor) -> Tensor:
    """Squared Mahalanobis distances of (N, D) rows, shape (N,)."""
    centred = rows - mean
    return ((centred @ precision) * centred).sum(1)


class FewShotMahalanobis(Mahalanobis):
    """Distance to training images minus distance to known outliers (SSD_k, ICLR 2021).

    Both are squared Mahalanobis distances to one cluster, with a covariance shrunk as by Ledoit and
    Wolf. The known outliers are the training images of ``exposure``; with ``ratio: 0`` the network
    is not trained on them. SSD's code also adds ten augmented copies of each known outlier; here
    there are none.
    """

    needs_exposed = True

    def __init__(self, output: Output = "features") -> None:
        super().__init__(output, clusters=1, estimate="ledoit_wolf")

    def expose(self, features: Features) -> None:
        rows = self._standard(features)
        self.outlier_mean = rows.mean(0)
        self.outlier_precision = _precision(rows, self.estimate)

    def score(self, features: Features) -> Tensor:
        known = distance(self._standard(features), self.outlier_mean, self.outlier_precision)
        return super().score(features) - known.float()


def _precision(rows: Tensor, estimate: Covariance) -> Tensor:
    precision: Tensor = torch.linalg.pinv(covariance(rows, estimate), hermitian=True)
    return precision


def _clusters(rows: Tensor, count: int) -> list[Tensor]:
    """The rows of each k-means cluster."""
    if count == 1:
        return [rows]
    from sklearn.cluster import KMeans

    count = min(count, len(rows))
    means = KMeans(count, n_init=1, max_iter=100, random_state=0)
    cluster = torch.from_numpy(means.fit_predict(rows.numpy()))
    return [rows[cluster == index] for index in range(count)]
