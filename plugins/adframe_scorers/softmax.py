"""Scores by the confidence of a classifier of the inlier classes."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import torch
from torch import Tensor

from adframe import UserError
from adframe.interfaces import Augmentation, Features, Positive, Scorer, ViewCount, ViewSpec

from .vectors import Output, spread_of


class MaxSoftmax(Scorer):
    """One minus the largest class probability (Hendrycks and Gimpel, ICLR 2017).

    The classifier is one that a loss trains. Logits are averaged over views and shifts. Joint
    logits count class y under shift k as y + classes * k: for the image under shift k, those of
    shift k are read (CSI's labelled form).

    Args:
        output: [published: class_logits] Name of the logits that a loss predicts.
        apply_shifts: [published: false] Whether class logits are averaged over the shifts. Joint
            logits always are.
        augmentation: Augmentation of the test-time views; none by default.
        views: [guess: 10] Number of test-time views.
    """

    def __init__(
        self,
        output: Literal["class_logits", "joint_logits"] = "class_logits",
        apply_shifts: bool = False,
        augmentation: Augmentation | None = None,
        views: ViewCount = 10,
    ) -> None:
        self.output = output
        self.apply_shifts = apply_shifts or output == "joint_logits"
        self.augmentation = augmentation
        self.views = views if augmentation is not None else 1

    def view_spec(self) -> ViewSpec:
        return ViewSpec(self.views, self.augmentation, self.apply_shifts, (self.output,))

    def score(self, features: Features) -> Tensor:
        logits = features[self.output].float()
        return unsure(joint(logits) if self.output == "joint_logits" else logits)


class LinearProbe(Scorer):
    """One minus the largest class probability of a linear classifier on frozen features.

    The second phase of SupCLR and of labelled CSI (Tack et al., NeurIPS 2020). The network is not
    changed. A linear classifier learns the classes, or with ``apply_shifts`` each pair of class and
    shift. Logits are averaged over views and shifts. The published phase takes 100 epochs of SGD on
    augmented images; this is scikit-learn's logistic regression on the standardised views of the
    training images, until convergence.

    Args:
        output: [published: features] Vectors that are classified.
        apply_shifts: [published: true for CSI, false for SupCLR] Whether each pair of class
            and shift is a class.
        penalty: [guess: 1] L2 penalty of the weights, in units of one image's loss.
        augmentation: Augmentation of the views, for learning and at test time; none by default.
        views: [guess: 10] Number of views.
    """

    needs_classes = True

    def __init__(
        self,
        output: Output = "features",
        apply_shifts: bool = False,
        penalty: Positive = 1.0,
        augmentation: Augmentation | None = None,
        views: ViewCount = 10,
    ) -> None:
        self.output = output
        self.apply_shifts = apply_shifts
        self.penalty = penalty
        self.augmentation = augmentation
        self.views = views if augmentation is not None else 1

    def view_spec(self) -> ViewSpec:
        return ViewSpec(self.views, self.augmentation, self.apply_shifts, (self.output,))

    def fit(self, features: Features) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        known = features["label"] >= 0
        label = features["label"][known]
        if not len(label) or label.min() == label.max():
            raise UserError("linear_probe needs at least two labelled inlier classes")
        rows = features[self.output][known].double()  # (N, views, shifts, D)
        classes, (images, views, shifts, width) = int(label.max()) + 1, rows.shape
        target = label[:, None, None] + classes * torch.arange(shifts)
        target, rows = target.expand(images, views, shifts).flatten(), rows.reshape(-1, width)
        centre, spread = rows.mean(0), spread_of(rows)
        regression = LogisticRegression(C=1 / self.penalty, max_iter=1000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.fit(((rows - centre) / spread).numpy(), target.numpy())
        weight, bias = _logits_of_all(regression, classes * shifts)
        self.weight = (weight / spread).float()  # (classes x shifts, D)
        self.bias = (bias - self.weight.double() @ centre).float()

    def score(self, features: Features) -> Tensor:
        rows = features[self.output].float()
        return unsure(joint(rows @ self.weight.T + self.bias))


def joint(logits: Tensor) -> Tensor:
    """Logits of the classes under shift k for the image under shift k.

    Args:
        logits: (N, views, shifts, classes x shifts), shift by shift.

    Returns:
        (N, views, shifts, classes).
    """
    shifts = logits.shape[2]
    by_shift = logits.view(*logits.shape[:-1], shifts, -1)  # (N, views, shifts, shifts, classes)
    return by_shift.diagonal(dim1=2, dim2=3).movedim(-1, 2)


def unsure(logits: Tensor) -> Tensor:
    """One minus the largest probability, shape (N,), from (N, views, shifts, classes) logits."""
    return 1 - logits.mean(dim=(1, 2)).softmax(1).amax(1)


def _logits_of_all(regression: Any, count: int) -> tuple[Tensor, Tensor]:
    """Weight and bias with a row for each of ``count`` targets; bias -inf for unseen targets."""
    weight = torch.from_numpy(regression.coef_)
    bias = torch.from_numpy(regression.intercept_)
    if len(weight) == 1:  # for two targets, scikit-learn stores the difference of their logits
        weight, bias = (torch.cat([torch.zeros_like(v), v]) for v in (weight, bias))
    seen = torch.from_numpy(regression.classes_)
    full = weight.new_zeros(count, weight.shape[1])
    full[seen] = weight
    offset = weight.new_full((count,), -torch.inf)
    offset[seen] = bias
    return full, offset
