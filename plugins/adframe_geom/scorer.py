"""GEOM's normality score: how usual the classifier's answers are under every shift."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe import UserError
from adframe.interfaces import Count, Features, Positive, Scorer, ViewSpec

NEWTON_STEPS = 5
EULER = 0.5772156649015329  # -digamma(1)


class Dirichlet(Scorer):
    """Dirichlet-normalised score of GEOM (Golan & El-Yaniv, NeurIPS 2018).

    For each shift t the classifier's probabilities of the training images under t are taken for
    draws of a Dirichlet distribution, fitted by maximum likelihood. The score of an image is minus
    the mean over shifts of sum_j (alpha_tj - 1) log p_j, its log-likelihood but for a constant.
    It looks at all of the probabilities, not only at that of the true shift.

    Args:
        iterations: [inferred: GEOM's code] Rounds of the fixed-point iteration at most.
        tolerance: [inferred: GEOM's code] It ends when alpha, of every shift, moves by less.
    """

    def __init__(self, iterations: Count = 1000, tolerance: Positive = 1e-9) -> None:
        self.iterations = iterations
        self.tolerance = tolerance

    def view_spec(self) -> ViewSpec:
        return ViewSpec(apply_shifts=True, outputs=("shift_logits",))

    def fit(self, features: Features) -> None:
        log_p = _log_p(features)
        if len(log_p) < 2:
            raise UserError("a Dirichlet distribution cannot be fitted to one image")
        mean = log_p.exp().mean(0, dtype=torch.float64)
        mean_log = log_p.mean(0, dtype=torch.float64)
        self.alpha = fit_dirichlet(mean, mean_log, self.iterations, self.tolerance)

    def score(self, features: Features) -> Tensor:
        likelihood = ((self.alpha - 1) * _log_p(features).double()).sum(-1)  # (N, shifts)
        return -likelihood.mean(1).float()


def _log_p(features: Features) -> Tensor:
    """(N, shifts, K) logarithms of the probabilities, averaged over views."""
    return features["shift_logits"].log_softmax(-1).mean(1)


def fit_dirichlet(mean: Tensor, mean_log: Tensor, iterations: int, tolerance: float) -> Tensor:
    """Maximum-likelihood concentrations, by Minka's fixed point (Estimating a Dirichlet, 2000).

    Starts at the mean times an estimate of the sum from moments of p and log p (Wicker et al.,
    Computational Statistics & Data Analysis 2008).

    Args:
        mean: (..., K) float64 mean of the observed probabilities.
        mean_log: (..., K) float64 mean of their logarithms.
        iterations: rounds at most.
        tolerance: moves of alpha below which it ends.

    Returns:
        (..., K) float64.
    """
    log_of_mean = mean.clamp(min=torch.finfo(mean.dtype).tiny).log()
    spread = (mean * (log_of_mean - mean_log)).sum(-1, keepdim=True)
    # Observations that are all alike have no spread, and no finite maximum.
    total = (mean.shape[-1] - 1) * EULER / spread.clamp(min=1e-9)
    alpha = (mean * total).clamp(min=1e-12)
    for _ in range(iterations):
        before = alpha
        alpha = inverse_digamma(alpha.sum(-1, keepdim=True).digamma() + mean_log)
        if float((alpha - before).norm(dim=-1).max()) < tolerance:
            break
    return alpha


def inverse_digamma(values: Tensor) -> Tensor:
    """Positive x with digamma(x) = values, by Newton's method from Minka's start."""
    x = torch.where(values >= -2.22, values.exp() + 0.5, -1 / (values + EULER))
    for _ in range(NEWTON_STEPS):
        x = x - (x.digamma() - values) / torch.polygamma(1, x)
    return x
