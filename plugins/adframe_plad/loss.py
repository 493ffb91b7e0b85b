"""The objective of PLAD."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from adframe.ops import at_least_float32


def classification_loss(normal: Tensor, perturbed: Tensor) -> Tensor:
    """Cross-entropy of (N,) logits of being anomalous: images are normal, perturbed ones not."""
    return (
        F.softplus(at_least_float32(normal)).mean()
        + F.softplus(-at_least_float32(perturbed)).mean()
    )


def size_of_perturbation(alpha: Tensor, beta: Tensor) -> Tensor:
    """Mean over images of |alpha - 1|^2 + |beta|^2, summed over the pixels of an image."""
    squared = (at_least_float32(alpha) - 1).square() + at_least_float32(beta).square()
    return squared.flatten(1).sum(1).mean()
