"""The score of CSI: nearest neighbour and classifier, under every shift."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe import max_cosine
from adframe.interfaces import Augmentation, Count, Features, Scorer, ViewSpec


class CSI(Scorer):
    """Cosine to the nearest training image times length, and the shift's logit (NeurIPS 2020).

    Under each shift k, f_k(x) is the projection, not normalised, averaged over test-time views;
    axes are the training images' f_k(x_m), normalised. The score is minus the mean over shifts of
    lambda_k max_m <f_k(x), axis_km> + mu_k logit_k(x), with logit_k the raw logit of shift k for an
    image that was shifted by k; 1/lambda_k is the mean length of f_k and 1/mu_k the mean of logit_k
    over the training images (Tack et al., section 2.3). A classifier whose logits are below 0 on
    average, an untrained one, thus counts the wrong way round.

    Args:
        augmentation: What makes the test-time views after the shift; the image as it is by default.
        views: [published: 10] Number of test-time views.
        pre_shift: What makes a view before it is shifted, the same under all shifts: in CSI's code
            a flip.
        form: [published: both] ``con`` for the nearest training image alone, ``cls`` for the shift
            classifier alone, ``both`` for their sum.
        length: [published: true] Whether the length of f_k(x) counts; without, its direction alone
            does. Length comes to mean normal late in a long training, and earlier may mean the
            opposite.
    """

    def __init__(
        self,
        augmentation: Augmentation | None = None,
        views: Count = 10,
        pre_shift: Augmentation | None = None,
        form: Literal["both", "con", "cls"] = "both",
        length: bool = True,
    ) -> None:
        self.augmentation = augmentation
        self.views = views if augmentation is not None or pre_shift is not None else 1
        self.pre_shift = pre_shift
        self.form = form
        self.length = length

    def view_spec(self) -> ViewSpec:
        return ViewSpec(
            views=self.views,
            transform=self.augmentation,
            apply_shifts=True,
            outputs={"con": ("projection",), "cls": ("shift_logits",)}.get(
                self.form, ("projection", "shift_logits")
            ),
            pre_shift=self.pre_shift,
        )

    def fit(self, features: Features) -> None:
        if self.form != "cls":
            vectors = self._vectors(features)
            self.axes = F.normalize(vectors, dim=-1)  # (shifts, M, D)
            self.con_weight = 1 / vectors.norm(dim=-1).mean(1)
        if self.form != "con":
            self.cls_weight = 1 / _own_logits(features).mean(0)

    def score(self, features: Features) -> Tensor:
        typical = torch.zeros(())
        if self.form != "cls":
            pairs = zip(self._vectors(features), self.axes, strict=True)
            nearest = torch.stack([max_cosine(vectors, axes) for vectors, axes in pairs], dim=1)
            typical = typical + nearest * self.con_weight
        if self.form != "con":
            typical = typical + _own_logits(features) * self.cls_weight
        return -typical.mean(1)

    def _vectors(self, features: Features) -> Tensor:
        """(shifts, N, D): the projection under each shift, averaged over views."""
        vectors = features["projection"].float().mean(1).transpose(0, 1)
        return vectors if self.length else F.normalize(vectors, dim=-1)


def _own_logits(features: Features) -> Tensor:
    """(N, shifts): of an image shifted by k, the logit of k, averaged over views."""
    return features["shift_logits"].float().mean(1).diagonal(dim1=1, dim2=2)
