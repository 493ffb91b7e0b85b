"""A scorer: low predicted probability of the shift that was applied means anomalous."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from adframe.interfaces import Features, Scorer, ViewSpec


class TrueShift(Scorer):
    """Negative sum over shifts of the predicted probability of the true shift.

    With rotations this is the score of RotNet; with ``head_probability`` that of Rot+Trans
    (Hendrycks et al., NeurIPS 2019), which sums the probabilities of its heads. With GEOM's 72
    transformations it is GEOM's simplified score (Golan & El-Yaniv, NeurIPS 2018) times 72. Nothing
    is fitted.

    Args:
        of: Output to read: ``shift_logits`` of one classifier, before the softmax, or
            ``head_probability`` of several.
    """

    def __init__(self, of: Literal["shift_logits", "head_probability"] = "shift_logits") -> None:
        self.of = of

    def view_spec(self) -> ViewSpec:
        return ViewSpec(apply_shifts=True, outputs=(self.of,))

    def score(self, features: Features) -> Tensor:
        values = features[self.of]  # (N, views, shifts, shifts)
        probability = values.softmax(-1) if self.of == "shift_logits" else values
        return -probability.diagonal(dim1=2, dim2=3).sum(-1).mean(1)
