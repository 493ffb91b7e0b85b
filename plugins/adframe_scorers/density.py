"""Scores by the density of the training features around an image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from adframe import UserError
from adframe.interfaces import Count, Features, NonNegative, Positive

from .vectors import Covariance, Output, VectorScorer, covariance, thinned, unit_rows


class KDE(VectorScorer):
    """Kernel density of unit vectors with a Gaussian kernel (Sohn et al., ICLR 2021).

    The score is -logsumexp_m(2 gamma cosine(f(x), f(x_m))) / gamma over training images x_m. Up to
    a constant, this is the negative log density divided by gamma. gamma is ``sharpness`` /
    (variance of all entries x their width): scikit-learn's ``scale`` times ``sharpness``.

    Args:
        sharpness: [inferred: DROC's code, 10] A larger value gives near neighbours more weight.
        limit: [inferred: DROC's code, 20000] Largest number of training images to compare
            with, evenly spaced.
    """

    def __init__(
        self, output: Output = "features", sharpness: Positive = 10.0, limit: Count = 20_000
    ) -> None:
        self.output = output
        self.sharpness = sharpness
        self.limit = limit

    def fit(self, features: Features) -> None:
        self.bank = thinned(unit_rows(features, self.output), self.limit)
        self.gamma = scale(self.bank) * self.sharpness

    def score(self, features: Features) -> Tensor:
        cosine = unit_rows(features, self.output) @ self.bank.T  # (N, M)
        return -(2 * self.gamma * cosine).logsumexp(1) / self.gamma


class GaussianDensity(VectorScorer):
    """Negative log density of unit vectors under one Gaussian with full covariance.

    The GDE of Sohn et al. (ICLR 2021) and of CutPaste (Li et al., CVPR 2021).

    Args:
        estimate: [inferred: DROC's code, empirical] Estimate of the covariance. ``ledoit_wolf``
            shrinks it, for few training images.
        ridge: [inferred: scikit-learn's default, which DROC's code keeps] Added to the variances.
    """

    def __init__(
        self,
        output: Output = "features",
        estimate: Covariance = "empirical",
        ridge: NonNegative = 1e-6,
    ) -> None:
        self.output = output
        self.estimate = estimate
        self.ridge = ridge

    def fit(self, features: Features) -> None:
        rows = unit_rows(features, self.output)
        spread = covariance(rows, self.estimate)
        spread.diagonal().add_(self.ridge)
        self.mean = rows.double().mean(0)
        try:
            factor = torch.linalg.cholesky(spread)
        except RuntimeError as error:
            raise UserError(
                "the covariance of the features is singular; try a larger ridge"
            ) from error
        unit = torch.eye(len(factor)).to(factor)
        self.whiten: Tensor = torch.linalg.solve_triangular(factor, unit, upper=False)

    def score(self, features: Features) -> Tensor:
        centred = unit_rows(features, self.output).double() - self.mean
        white = centred @ self.whiten.T
        log_volume = len(self.mean) * math.log(2 * math.pi) / 2 - self.whiten.diagonal().log().sum()
        return (white.square().sum(1) / 2 + log_volume).float()


def scale(rows: Tensor) -> Tensor:
    """Default kernel width, scikit-learn's ``gamma="scale"``: 1 / (variance x width)."""
    gamma: Tensor = 1 / (rows.var(correction=0) * rows.shape[1])
    return gamma
