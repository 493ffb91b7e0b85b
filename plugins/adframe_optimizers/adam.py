"""Adam."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import nn

from adframe.interfaces import Fraction, NonNegative, Optimizer, Positive

Decay = Annotated[float, Interval(ge=0, lt=1)]


class Adam(Optimizer):
    """Adam (Kingma & Ba, ICLR 2015). The learning rate is constant, or falls.

    Args:
        lr: [published: 0.001 for GEOM, GOAD and iDECODe] Learning rate at the start.
        betas: [published: 0.9, 0.999] Decay of the running means of the gradient and of its
            square.
        eps: [published: 1e-8] Added to the divisor. Keras, and so GEOM's code, has 1e-7.
        weight_decay: [published: 0 for GOAD] L2 penalty, as 1/2 x this x squared norm. It is
            part of the gradient and not decoupled from it.
        decay: [published: constant] ``cosine`` takes the learning rate to zero over the run.
        drops: [published: none; 1/3 of the run for Deep SVDD] Shares of the run at which the
            learning rate falls to a tenth.
        warmup: [guess: none] Share of the run in which the learning rate rises linearly from zero.
            The cosine takes the rest of the run.
    """

    def __init__(
        self,
        lr: Positive = 1e-3,
        betas: tuple[Decay, Decay] = (0.9, 0.999),
        eps: Positive = 1e-8,
        weight_decay: NonNegative = 0.0,
        decay: Literal["constant", "cosine"] = "constant",
        drops: Sequence[Fraction] = (),
        warmup: Fraction = 0.0,
    ) -> None:
        self.lr = lr
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self.decay = decay
        self.drops = tuple(drops)
        self.warmup = warmup

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            parameters,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
        )

    def rate(self, progress: float) -> float:
        if progress < self.warmup:
            return progress / self.warmup
        dropped: float = 0.1 ** sum(progress >= drop for drop in self.drops)
        if self.decay == "constant":
            return dropped
        after = (progress - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 1.0
        return dropped * 0.5 * (1 + math.cos(math.pi * after))
