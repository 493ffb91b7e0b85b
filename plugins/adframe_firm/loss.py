"""The contrastive loss of FIRM."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Loss, Positive, Views
from adframe.ops import at_least_float32, by_anchors


class FIRM(Loss):
    """UniCLR's positives between first and other views only (FIRM, Lunardi et al., ECAI 2025).

    The ``pairwise`` form of the public code. The anchors are the first views, and the denominator
    runs over the other views only. The positives of an inlier are all other views of inliers; with
    labels, of inliers of its label. The only positive of an outlier, virtual or exposed, is its own
    other view. An anchor's loss is the mean of -log p of its positives; the loss is the mean over
    anchors. The ``concat`` form of the public code, over all pairs of views, is ``uniclr``.

    Args:
        temperature: [inferred: FIRM's README, 0.1] tau, divides the cosine.

    Raises:
        ValueError: ``Views.view`` is None.
    """

    def __init__(self, temperature: Positive = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        if views.view is None:
            raise ValueError("firm needs the view number of each row (Views.view)")
        group = torch.where(views.inlier, views.label, -2 - views.instance())
        first = views.view == 0
        with torch.autocast(embeddings.device.type, enabled=False):
            z = F.normalize(at_least_float32(embeddings))
            return by_anchors(
                self._of_anchors, [z[first], group[first]], [z[~first], group[~first]]
            ).mean()

    def _of_anchors(self, own: Tensor, group: Tensor, other: Tensor, of_other: Tensor) -> Tensor:
        """The loss of each anchor, (A,)."""
        log_p = (own @ other.T / self.temperature).log_softmax(1)
        positive = (group[:, None] == of_other).to(own.dtype)
        return -((log_p * positive).sum(1) / positive.sum(1).clamp(min=1))
