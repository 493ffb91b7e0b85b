"""LARS, layer-wise adaptive rate scaling, for large batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from adframe.interfaces import Fraction, NonNegative, Optimizer, Positive

from .sgd import SGD


class LARS(Optimizer):
    """SGD with steps scaled to the norm of each tensor (You et al. 2017), warm-up and cosine.

    For a tensor w with gradient g, SGD with momentum gets the gradient
    trust ||w|| / (||g|| + decay ||w|| + eps) (g + decay w). Where w or g is zero, it gets
    g + decay w. Biases and normalisation layers are scaled as well.

    Args:
        lr: [inferred: CSI's code, 1.0: a tenth times a warm-up to ten times that] Learning rate at
            the end of the warm-up.
        momentum: [published: 0.9] Momentum.
        weight_decay: [published: 1e-6] L2 penalty, as 1/2 x this x squared norm.
        trust: [inferred: CSI's code, 0.001] Norm of a step for a tensor of norm 1.
        eps: [inferred: CSI's code, 1e-8] Added to the divisor.
        warmup: [published: 10 of 1,000 epochs] Share of the run in which the learning rate rises
            linearly. One cosine to zero takes the rest.
        start: [inferred: CSI's code, 0.1] Learning rate at the start, as a share of ``lr``.
    """

    def __init__(
        self,
        lr: Positive = 1.0,
        momentum: Fraction = 0.9,
        weight_decay: NonNegative = 1e-6,
        trust: Positive = 0.001,
        eps: NonNegative = 1e-8,
        warmup: Fraction = 0.01,
        start: Fraction = 0.1,
    ) -> None:
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.trust = trust
        self.eps = eps
        self.warmup = warmup
        self.start = start

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return _Scaled(parameters, self.lr, self.momentum, self.weight_decay, self.trust, self.eps)

    def rate(self, progress: float) -> float:
        rate = SGD(warmup=self.warmup).rate(progress)
        return self.start + (1 - self.start) * rate if progress < self.warmup else rate


class _Scaled(torch.optim.SGD):
    """SGD that scales gradients, weight decay included, before it steps."""

    def __init__(
        self,
        parameters: list[nn.Parameter],
        lr: float,
        momentum: float,
        decay: float,
        trust: float,
        eps: float,
    ) -> None:
        super().__init__(parameters, lr=lr, momentum=momentum)
        self.decay, self.trust, self.eps = decay, trust, eps

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        assert closure is None, "gradients are scaled in place, once"
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        gradients = [p.grad for p in moved]
        lengths = torch.stack(torch._foreach_norm(moved))
        steepness = torch.stack(torch._foreach_norm(gradients))
        scaled = self.trust * lengths / (steepness + self.decay * lengths + self.eps)
        factors: Tensor = scaled.where((lengths > 0) & (steepness > 0), 1)
        torch._foreach_add_(gradients, moved, alpha=self.decay)
        torch._foreach_mul_(gradients, list(factors.unbind()))
        return super().step()
