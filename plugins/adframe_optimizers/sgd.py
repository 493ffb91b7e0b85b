"""Stochastic gradient descent."""

from __future__ import annotations

import math

import torch
from torch import nn

from adframe.interfaces import Fraction, NonNegative, Optimizer, Positive


class SGD(Optimizer):
    """SGD with momentum. The learning rate falls to zero along one cosine over the whole run.

    Args:
        lr: [published: 0.01] Learning rate at the start.
        momentum: [inferred: DROC's recipe] Momentum.
        weight_decay: [inferred: DROC's recipe] L2 penalty, as 1/2 x this x squared norm.
        nesterov: [inferred: DROC's recipe] Nesterov momentum.
        warmup: [guess: none] Share of the run in which the learning rate rises linearly from zero.
            The cosine takes the rest of the run.

    Raises:
        ValueError: ``nesterov`` without a momentum.
    """

    def __init__(
        self,
        lr: Positive = 0.01,
        momentum: Fraction = 0.9,
        weight_decay: NonNegative = 3e-4,
        nesterov: bool = False,
        warmup: Fraction = 0.0,
    ) -> None:
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.nesterov = nesterov
        self.warmup = warmup
        if nesterov and not momentum:
            raise ValueError("nesterov needs a momentum above 0")

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
        )

    def rate(self, progress: float) -> float:
        if progress < self.warmup:
            return progress / self.warmup
        after = (progress - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 1.0
        return 0.5 * (1 + math.cos(math.pi * after))
