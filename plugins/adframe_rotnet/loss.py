"""A loss with one classifier for each factor of a composed shift."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from adframe.interfaces import Loss, LossDims, Views


class ShiftHeads(Loss):
    """Mean cross-entropy of several classifiers, each of one factor of a composed shift.

    Each head predicts one factor of the shift: the translation along x, the translation along y, or
    the rotation (Rot+Trans, Hendrycks et al., NeurIPS 2019). The last factor varies fastest. One
    linear layer on pooled features holds all heads. Exposed outliers are excluded, since they have
    no shift.

    Scorers can use ``head_probability``: for each shift, the sum over heads of the probability of
    the factor's value under that shift, 0..number of heads.

    Args:
        heads: [published: 3, 3, 4] Number of values of each factor, the unshifted one included.
            Their product is the number of variants plus one.

    Raises:
        ValueError: ``heads`` is empty, or its product does not fit the shifts of the run.
    """

    values: Tensor  #: (heads, shifts) int64, the value of each factor under each shift

    reads = "features"
    outputs = ("head_probability",)
    separates_shifts = True

    def __init__(self, heads: Sequence[Annotated[int, Ge(2)]] = (3, 3, 4)) -> None:
        super().__init__()
        if not heads:
            raise ValueError("heads: name at least one")
        self.heads = list(heads)

    def setup(self, dims: LossDims) -> None:
        if math.prod(self.heads) != dims.shifts:
            product = " x ".join(map(str, self.heads))
            raise ValueError(f"heads: {product} combinations for {dims.shifts} shifts of the run")
        self.classifier = nn.Linear(dims.embedding, sum(self.heads))
        self.register_buffer("values", self._values(), persistent=False)

    def _values(self) -> Tensor:
        ranges = [torch.arange(count) for count in self.heads]
        return torch.cartesian_prod(*ranges).view(-1, len(self.heads)).T.contiguous()

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        values = self.values[:, views.shift]  # (heads, N)
        losses = sum(
            F.cross_entropy(logits, value, reduction="none")
            for logits, value in zip(self._logits(embeddings), values, strict=True)
        )
        made = views.shown().to(embeddings.dtype)
        mean: Tensor = (losses * made).sum() / made.sum().clamp(min=1) / len(self.heads)
        return mean

    def predict(self, embeddings: Tensor) -> dict[str, Tensor]:
        of_shift = [
            logits.softmax(1)[:, value]
            for logits, value in zip(self._logits(embeddings), self.values, strict=True)
        ]
        return {"head_probability": torch.stack(of_shift).sum(0)}

    def _logits(self, embeddings: Tensor) -> Sequence[Tensor]:
        logits: Sequence[Tensor] = self.classifier(embeddings).split(self.heads, dim=1)
        return logits
