"""A score that the method computes."""

from __future__ import annotations

from torch import Tensor

from adframe.interfaces import Features, Scorer, ViewSpec


class MethodOutput(Scorer):
    """The score that the method itself computes for an image. Nothing is fitted.

    Args:
        output: Name of the output of the method. Several values of an image are averaged.
    """

    def __init__(self, output: str = "anomaly") -> None:
        self.output = output

    def view_spec(self) -> ViewSpec:
        return ViewSpec(outputs=(self.output,))

    def score(self, features: Features) -> Tensor:
        return features[self.output].float().mean(dim=(1, 2, 3))
