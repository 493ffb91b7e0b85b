"""The contrastive loss of DROC."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Loss, Positive, Views


class DROCContrastive(Loss):
    """First views find their image's other views among all other views (Sohn et al., ICLR 2021).

    NT-Xent in one direction and without negatives of the same view: the anchors are the first
    views, the denominator runs over the other views alone. Every image under every shift is an
    instance of its own, which with rotations is the paper's distribution augmentation; there the
    rotations of an image seldom meet in one batch, here they always do.

    Args:
        temperature: [published: 0.2] tau, divides the cosine.

    Raises:
        ValueError: rows do not say which view they are.
    """

    def __init__(self, temperature: Positive = 0.2) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        if views.view is None:
            raise ValueError("droc_contrastive needs to know which view each row is (Views.view)")
        instance, first = views.instance(), views.view == 0
        with torch.autocast(embeddings.device.type, enabled=False):
            z = F.normalize(embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)))
            log_p = (z[first] @ z[~first].T / self.temperature).log_softmax(1)
            positive = (instance[first][:, None] == instance[~first]).to(z.dtype)
            return -((log_p * positive).sum(1) / positive.sum(1).clamp(min=1)).mean()
