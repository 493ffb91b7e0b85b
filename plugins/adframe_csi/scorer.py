"""The anomaly score of CSI."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Augmentation, Features, Scorer, ViewCount, ViewSpec
from adframe.ops import topk_cosine


class CSI(Scorer):
    """Nearest cosine times norm, plus the logit of the shift (Tack et al., NeurIPS 2020).

    Section 2.3. For each shift k, f_k(x) is the projection, not normalised, averaged over the
    test-time views. The axes are the normalised f_k(x_m) of the training images. The score is minus
    the mean over shifts of lambda_k max_m <f_k(x), axis_km> + mu_k logit_k(x). Here logit_k is the
    raw logit of shift k for the image under shift k. Over the training images, 1/lambda_k is the
    mean norm of f_k and 1/mu_k the mean of logit_k. So a classifier whose logits are negative on
    average, such as an untrained one, counts with the wrong sign.

    Args:
        augmentation: Augmentation of the test-time views, after the shift; none by default.
        views: [published: 10] Number of test-time views.
        pre_shift: Augmentation before the shift; CSI's code has a flip, but none without shifts.
        independent: [inferred: CSI's code has it true] Whether each shift of a view gets its own
            random numbers, such as its own crop. By default the shifts of a view share them.
        form: [published: both] ``con`` uses the nearest training image, ``cls`` the shift
            classifier, ``both`` their sum.
        length: [published: true] Whether the norm of f_k(x) counts, or its direction only. A large
            norm means normal late in a long training; earlier it can mean the opposite.
    """

    def __init__(
        self,
        augmentation: Augmentation | None = None,
        views: ViewCount = 10,
        pre_shift: Augmentation | None = None,
        independent: bool = False,
        form: Literal["both", "con", "cls"] = "both",
        length: bool = True,
    ) -> None:
        self.augmentation = augmentation
        self.views = views if augmentation is not None or pre_shift is not None else 1
        self.pre_shift = pre_shift
        self.independent = independent
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
            independent=self.independent,
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
            nearest = torch.cat([topk_cosine(vectors, axes) for vectors, axes in pairs], dim=1)
            typical = typical + nearest * self.con_weight
        if self.form != "con":
            typical = typical + _own_logits(features) * self.cls_weight
        return -typical.mean(1)

    def _vectors(self, features: Features) -> Tensor:
        """Projection under each shift, averaged over views, shape (shifts, N, D)."""
        vectors = features["projection"].float().mean(1).transpose(0, 1)
        return vectors if self.length else F.normalize(vectors, dim=-1)


def _own_logits(features: Features) -> Tensor:
    """Logit of shift k for the image under shift k, averaged over views, shape (N, shifts)."""
    return features["shift_logits"].float().mean(1).diagonal(dim1=1, dim2=2)
