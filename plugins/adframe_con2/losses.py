"""Two losses over contexts: shifts of inliers that are inliers themselves."""

from __future__ import annotations

from torch import Tensor

from adframe.interfaces import Loss, Positive, Views
from adframe.ops import group_contrast


class ContextContrast(Loss):
    """Views in one context are positives, all others negatives (idea of Con2, Ryser et al.).

    A context is a shift. Published is the idea only: inliers cluster by their context. The form,
    that of SupCon (Khosla et al., 2020) with contexts for classes, is our guess. Exposed outliers
    have no part in it.

    Args:
        temperature: [guess: 0.2] Divides the cosine.
    """

    def __init__(self, temperature: Positive = 0.2) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        shown = views.shown()
        return group_contrast(embeddings[shown], views.shift[shown], self.temperature).mean()


class ContentAlignment(Loss):
    """Views of one image in all contexts are positives, all others negatives (idea of Con2).

    Published is the idea only: an image takes the same place in the cluster of each context. The
    form, that of NT-Xent with several positives, is our guess. Exposed outliers are instances as
    any other image.

    Args:
        temperature: [guess: 0.2] Divides the cosine.
    """

    def __init__(self, temperature: Positive = 0.2) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        return group_contrast(embeddings, views.source, self.temperature).mean()
