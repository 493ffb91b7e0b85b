"""The contrastive loss of DROC."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Loss, Positive, Views
from adframe.ops import at_least_float32, by_anchors


class DROCContrastive(Loss):
    """NT-Xent in one direction (Sohn et al., ICLR 2021).

    The anchors are the first views. The denominator runs over the other views only, so an anchor
    has no negatives among the first views. Each image under each shift is a separate instance;
    with rotations this is the paper's distribution augmentation. In the paper the rotations of one
    image are rarely in the same batch; here they always are.

    Args:
        temperature: [published: 0.2] tau, divides the cosine.

    Raises:
        ValueError: ``Views.view`` is None.
    """

    def __init__(self, temperature: Positive = 0.2) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        if views.view is None:
            raise ValueError("droc_contrastive needs the view number of each row (Views.view)")
        instance, first = views.instance(), views.view == 0
        with torch.autocast(embeddings.device.type, enabled=False):
            z = F.normalize(at_least_float32(embeddings))
            return by_anchors(
                self._of_anchors, [z[first], instance[first]], [z[~first], instance[~first]]
            ).mean()

    def _of_anchors(self, own: Tensor, instance: Tensor, other: Tensor, of_other: Tensor) -> Tensor:
        """The loss of each anchor, (A,)."""
        log_p = (own @ other.T / self.temperature).log_softmax(1)
        positive = (instance[:, None] == of_other).to(own.dtype)
        return -((log_p * positive).sum(1) / positive.sum(1).clamp(min=1))
