"""The anomaly score of GOAD."""

from __future__ import annotations

from torch import Tensor

from adframe.interfaces import Features, NonNegative, Scorer, ViewSpec

from .losses import squared_distances


class ShiftCentres(Scorer):
    """Negative log-probability of the shifts, by distances from the centres of the shifts.

    GOAD's score (Bergman & Hoshen, ICLR 2020): the sum over shifts t of -log of the softmax over t'
    of -max(|z_t - c_t'|^2, floor), at t. A centre is the mean feature of the training images under
    its shift, from the trained network. The public code averages them during the last epoch.

    Args:
        floor: [inferred: GOAD's code] Smallest squared distance, its epsilon.
    """

    def __init__(self, floor: NonNegative = 0.0) -> None:
        self.floor = floor

    def view_spec(self) -> ViewSpec:
        return ViewSpec(apply_shifts=True)

    def fit(self, features: Features) -> None:
        self.centres = features["features"].float().mean(dim=(0, 1))  # (shifts, D)

    def score(self, features: Features) -> Tensor:
        z = features["features"].float()  # (N, views, shifts, D)
        distance = squared_distances(z, self.centres.expand(*z.shape[:2], -1, -1))
        log_p = (-distance.clamp(min=self.floor)).log_softmax(-1)
        return -log_p.diagonal(dim1=2, dim2=3).sum(-1).mean(1)
