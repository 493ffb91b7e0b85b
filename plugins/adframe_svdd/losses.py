"""The objectives of Deep SVDD and Deep SAD, of squared distances from the centre."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe.ops import at_least_float32

EPSILON = 1e-6  # inferred: Deep SAD's code; added to a distance before it is inverted


def one_class(distance: Tensor) -> Tensor:
    """Mean of (N,) squared distances."""
    return distance.mean()


def soft_boundary(distance: Tensor, radius: Tensor, nu: float) -> Tensor:
    """R^2 + 1/nu x the mean excess of (N,) squared distances over R^2; ``radius`` is R."""
    squared = radius.square()
    return squared + (distance - squared).clamp(min=0).mean() / nu


def deep_sad(distance: Tensor, anomalous: Tensor, weight: float) -> Tensor:
    """Mean of the squared distances of inliers and of ``weight`` / those of known outliers.

    Args:
        distance: (N,) squared distances.
        anomalous: (N,) bool, true for known outliers.
        weight: weight of a known outlier (eta of Ruff et al., ICLR 2020).
    """
    return torch.where(anomalous, weight / (distance + EPSILON), distance).mean()


def keep_from_zero(centre: Tensor, least: float) -> Tensor:
    """The centre with each coordinate moved to an absolute value of at least ``least``.

    A coordinate of zero could be met by weights of zero, for every image.
    """
    return torch.where(centre < 0, centre.clamp(max=-least), centre.clamp(min=least))


def radius_of(distance: Tensor, nu: float) -> Tensor:
    """The radius that a share ``nu`` of (N,) squared distances exceeds."""
    return at_least_float32(distance.detach()).sqrt().quantile(1 - nu)
