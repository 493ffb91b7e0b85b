"""Contrastive losses over instances or over classes."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe.interfaces import Loss, Positive, Views
from adframe.ops import group_contrast


class NTXent(Loss):
    """NT-Xent: views of one image are positives, all others negatives (Chen et al., ICML 2020).

    Each image under each shift is a separate instance, as in CSI (Tack et al., NeurIPS 2020, Eq. 5)
    and in the baseline of Table 6 of Wang et al. (ICCV 2023). The loss is the mean over views of
    -log p of their positives; the denominator runs over all other views. For two views this is
    Eq. 1 of the paper.

    Args:
        temperature: [published: 0.5] tau, divides the cosine.
    """

    def __init__(self, temperature: Positive = 0.5) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        return group_contrast(embeddings, views.instance(), self.temperature).mean()


class SupCon(Loss):
    """Supervised contrastive loss: views of one class are positives (Khosla et al., 2020).

    A class under a shift is a separate class, as in the labelled form of CSI (Tack et al., NeurIPS
    2020, section 2.4). An image without a label is a separate instance.

    Args:
        temperature: [inferred: CSI's code] tau, divides the cosine.
    """

    separates_shifts = True

    def __init__(self, temperature: Positive = 0.07) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        by_class = views.label * (views.shift.max() + 1) + views.shift
        group = torch.where(views.label >= 0, by_class, -1 - views.instance())
        return group_contrast(embeddings, group, self.temperature).mean()
