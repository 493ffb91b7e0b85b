"""Alignment and uniformity of embeddings on the unit hypersphere (Wang and Isola, ICML 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Features, Loss, NonNegative, Positive, Scorer, Views


class AlignUniform(Loss):
    """Pulls views of one image together and spreads all others over the sphere.

    The value is ``alignment`` x mean squared distance of positive pairs + log of the mean Gaussian
    potential exp(-``sharpness`` x squared distance) over all other pairs. An image under two shifts
    counts as two images. Computed in float32, also under autocast.

    Args:
        alignment: [published: 1] Weight of the first term.
        sharpness: [published: 2] t of the potential.
    """

    def __init__(self, alignment: NonNegative = 1.0, sharpness: Positive = 2.0) -> None:
        super().__init__()
        self.alignment = alignment
        self.sharpness = sharpness

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        """The loss, a scalar, from (N, D) embeddings."""
        with torch.autocast(embeddings.device.type, enabled=False):
            z = F.normalize(embeddings.float())
            squared = 2 - 2 * z @ z.T  # (N, N)
        instance = views.instance()
        itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
        together = (instance[:, None] == instance) & ~itself
        apart = ~together & ~itself
        potential = (-self.sharpness * squared[apart]).logsumexp(0) - math.log(int(apart.sum()))
        return self.alignment * squared[together].mean() + potential


class GaussianPotential(Scorer):
    """Minus the log of the mean Gaussian potential between an image and the training images.

    The measure of uniformity, used as a density estimate on the sphere.

    Args:
        sharpness: [guess: 2] t of the potential. A larger value gives near training images more
            weight.
    """

    def __init__(self, sharpness: Positive = 2.0) -> None:
        self.sharpness = sharpness

    def fit(self, features: Features) -> None:
        """Stores the training images."""
        self.bank = _unit(features)

    def score(self, features: Features) -> Tensor:
        """Anomaly scores, shape (N,), float32. Higher is more anomalous."""
        squared = 2 - 2 * _unit(features) @ self.bank.T  # (N, M)
        return math.log(len(self.bank)) - (-self.sharpness * squared).logsumexp(1)


def _unit(features: Features) -> Tensor:
    """Unit vectors (N, D) from features (N, views, shifts, D)."""
    return F.normalize(features["features"].float().mean(dim=(1, 2)), dim=-1)
