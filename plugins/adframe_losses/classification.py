"""Classifiers of the inlier classes, for labelled data."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from adframe.interfaces import Loss, LossDims, Views


class Classification(Loss):
    """Cross-entropy of a linear classifier of the inlier classes, on pooled features.

    Shifted views keep the class of their image. Images without a label are excluded. Scorers can
    use ``class_logits``.

    Args:
        frozen: [guess: false] Trains the classifier only and not the network.
    """

    reads = "features"
    outputs = ("class_logits",)

    def __init__(self, frozen: bool = False) -> None:
        super().__init__()
        self.frozen = frozen

    def setup(self, dims: LossDims) -> None:
        self.classifier = nn.Linear(dims.embedding, dims.classes)

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        logits = self.classifier(embeddings.detach() if self.frozen else embeddings)
        losses = F.cross_entropy(logits, self._targets(views).clamp(min=0), reduction="none")
        known = (views.label >= 0).to(losses.dtype)
        return (losses * known).sum() / known.sum().clamp(min=1)

    def _targets(self, views: Views) -> Tensor:
        return views.label

    def predict(self, embeddings: Tensor) -> dict[str, Tensor]:
        return {self.outputs[0]: self.classifier(embeddings)}


class JointClassification(Classification):
    """Cross-entropy over all pairs of inlier class and shift.

    Class y under shift k has the number y + classes * k, as in labelled CSI (Tack et al., NeurIPS
    2020). Scorers can use ``joint_logits``.

    Args:
        frozen: [guess: false] Trains the classifier only and not the network.
    """

    outputs = ("joint_logits",)
    separates_shifts = True

    def setup(self, dims: LossDims) -> None:
        self.classes = dims.classes
        self.classifier = nn.Linear(dims.embedding, dims.classes * dims.shifts)

    def _targets(self, views: Views) -> Tensor:
        return views.label + self.classes * views.shift
