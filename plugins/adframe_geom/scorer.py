"""The anomaly score of GEOM."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe import UserError
from adframe.interfaces import Count, Features, Positive, Scorer, ViewSpec

NEWTON_STEPS = 5
EULER = 0.5772156649015329  # -digamma(1)


class Dirichlet(Scorer):
    """Negative Dirichlet log-likelihood of shift probabilities (Golan & El-Yaniv, NeurIPS 2018).

    For each shift t, a Dirichlet distribution is fitted by maximum likelihood to the probabilities
    that the classifier gives for the training images under t. The score of an image is minus the
    mean over shifts of sum_j (alpha_tj - 1) log p_j, which is its log-likelihood up to a constant.
    It uses all probabilities, not only that of the true shift.

    Args:
        iterations: [inferred: GEOM's code] Largest number of fixed-point iterations.
        tolerance: [inferred: GEOM's code] The iteration ends when the change of alpha is smaller
            for every shift.
    """

    def __init__(self, iterations: Count = 1000, tolerance: Positive = 1e-9) -> None:
        self.iterations = iterations
        self.tolerance = tolerance

    def view_spec(self) -> ViewSpec:
        return ViewSpec(apply_shifts=True, outputs=("shift_logits",))

    def fit(self, features: Features) -> None:
        log_p = _log_p(features)
        if len(log_p) < 2:
            raise UserError("dirichlet needs at least two training images")
        mean = log_p.exp().mean(0, dtype=torch.float64)
        mean_log = log_p.mean(0, dtype=torch.float64)
        self.alpha = fit_dirichlet(mean, mean_log, self.iterations, self.tolerance)

    def score(self, features: Features) -> Tensor:
        likelihood = ((self.alpha - 1) * _log_p(features).double()).sum(-1)  # (N, shifts)
        return -likelihood.mean(1).float()


def _log_p(features: Features) -> Tensor:
    """Logarithms of the probabilities, averaged over views, shape (N, shifts, K)."""
    return features["shift_logits"].log_softmax(-1).mean(1)


def fit_dirichlet(mean: Tensor, mean_log: Tensor, iterations: int, tolerance: float) -> Tensor:
    """Maximum-likelihood concentrations, by Minka's fixed point (Estimating a Dirichlet, 2000).

    The start is the mean times an estimate of the sum, from moments of p and log p (Wicker et al.,
    Computational Statistics & Data Analysis 2008).

    Args:
        mean: (..., K) float64 mean of the observed probabilities.
        mean_log: (..., K) float64 mean of their logarithms.
        iterations: largest number of iterations.
        tolerance: change of alpha below which the iteration ends.

    Returns:
        (..., K) float64, the concentrations alpha.
    """
    log_of_mean = mean.clamp(min=torch.finfo(mean.dtype).tiny).log()
    spread = (mean * (log_of_mean - mean_log)).sum(-1, keepdim=True)
    # Equal observations have no spread, and the likelihood no finite maximum.
    total = (mean.shape[-1] - 1) * EULER / spread.clamp(min=1e-9)
    alpha = (mean * total).clamp(min=1e-12)
    for _ in range(iterations):
        before = alpha
        alpha = inverse_digamma(alpha.sum(-1, keepdim=True).digamma() + mean_log)
        if float((alpha - before).norm(dim=-1).max()) < tolerance:
            break
    return alpha


def inverse_digamma(values: Tensor) -> Tensor:
    """Positive x with digamma(x) = values, by Newton's method from Minka's start value."""
    x = torch.where(values >= -2.22, values.exp() + 0.5, -1 / (values + EULER))
    for _ in range(NEWTON_STEPS):
        x = x - (x.digamma() - values) / torch.polygamma(1, x)
    return x
