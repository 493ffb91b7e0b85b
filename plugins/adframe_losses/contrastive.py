"""Contrastive losses that compare instances, or classes."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe import group_contrast
from adframe.interfaces import Loss, Positive, Views


class NTXent(Loss):
    """NT-Xent: an image's views attract each other, all else repels (Chen et al., ICML 2020).

    Every image under every shift is an instance of its own, as in CSI (Tack et al., NeurIPS 2020,
    Eq. 5) and in the baseline of Table 6 of Wang et al. (ICCV 2023). The mean over views of
    -log p of their positives, the denominator over all other views; Eq. 1 of the paper for two.

    Args:
        temperature: [published: 0.5] tau, divides the cosine.
    """

    def __init__(self, temperature: Positive = 0.5) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        return group_contrast(embeddings, views.instance(), self.temperature).mean()


class SupCon(Loss):
    """Supervised contrastive loss: views of one class attract each other (Khosla et al., 2020).

    A class under a shift is a class of its own, as in the labelled form of CSI (Tack et al.,
    NeurIPS 2020, section 2.4). What has no label is an instance of its own.

    Args:
        temperature: [inferred: CSI's code] tau, divides the cosine.
    """

    def __init__(self, temperature: Positive = 0.07) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        by_class = views.label * (views.shift.max() + 1) + views.shift
        group = torch.where(views.label >= 0, by_class, -1 - views.instance())
        return group_contrast(embeddings, group, self.temperature).mean()
