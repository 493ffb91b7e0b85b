"""Scores by nearest neighbours among the training features."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from adframe import max_cosine
from adframe.interfaces import Augmentation, Count, Features, Look, Scorer


class NearestCosine(Scorer):
    """Cosine distance to the nearest training image (Wang et al., ICCV 2023, Eq. 10).

    The score is 1 - max_m cosine(f(x), f(x_m)) over training images x_m, in 0..2. f is the pooled
    feature of the last stage, l2-normalised per view and averaged over the test-time views, of
    training and scored images alike.

    Args:
        augmentation: What makes the test-time views, at full strength; none scores the image as
            it is. The paper uses test-time augmentation and does not say which.
        views: [inferred: CSI's code] How many test-time views are averaged.
    """

    def __init__(self, augmentation: Augmentation | None = None, views: Count = 10) -> None:
        self.augmentation = augmentation
        self.views = views if augmentation is not None else 1

    def look(self) -> Look:
        return Look(views=self.views, transform=self.augmentation)

    def fit(self, features: Features) -> None:
        self.bank = _representation(features)

    def score(self, features: Features) -> Tensor:
        return 1 - max_cosine(_representation(features), self.bank)


def _representation(features: Features) -> Tensor:
    """(N, D) unit vectors from (N, views, 1, D) features."""
    return F.normalize(F.normalize(features["features"].float(), dim=-1).mean(dim=(1, 2)), dim=-1)
