"""Telling the shifts apart."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from adframe.interfaces import Dims, Loss, Views


class ShiftClassification(Loss):
    """Cross-entropy of a linear classifier that says which shift made a view.

    The auxiliary task of CSI (Tack et al., NeurIPS 2020, Eq. 6) and of Table 6 of Wang et al.
    (ICCV 2023), on pooled features; by itself, with rotations, it is RotNet. Exposed outliers,
    which no shift made, are left out. Scorers may ask for ``shift_logits``.
    """

    reads = "features"
    outputs = ("shift_logits",)

    def setup(self, dims: Dims) -> None:
        self.classifier = nn.Linear(dims.embedding, dims.shifts)

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        losses = F.cross_entropy(self.classifier(embeddings), views.shift, reduction="none")
        made = (views.inlier | (views.shift > 0)).to(losses.dtype)
        return (losses * made).sum() / made.sum().clamp(min=1)

    def predict(self, embeddings: Tensor) -> dict[str, Tensor]:
        return {"shift_logits": self.classifier(embeddings)}
