"""Scorers, which turn features into anomaly scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from adframe.interfaces.types import Transform

Features = Mapping[str, Tensor]  #: output name -> (N, views, shifts + 1 or 1, D) float32


@dataclass(frozen=True)
class ViewSpec:
    """The views of an image that a scorer requests.

    Scorers that request the same views share one forward pass.

    Attributes:
        views: number of test-time views.
        transform: augmentation of each view; None for the image as it is.
        apply_shifts: whether each view is also requested under each shift.
        outputs: names of the outputs of ``Method.embed``.
        pre_shift: augmentation before the shift; all shifts of a view share it.
    """

    views: int = 1
    transform: Transform | None = None
    apply_shifts: bool = False
    outputs: tuple[str, ...] = ("features",)
    pre_shift: Transform | None = None


class Scorer(ABC):
    """An anomaly score, fitted on the features of the training images.

    A score does not depend on which other images are in the batch. Every tensor attribute that
    ``fit`` or ``expose`` sets is saved with the run and restored from it.
    """

    needs_exposed: bool = False  #: whether the scorer needs the known outliers of ``exposure``
    needs_classes: bool = False  #: whether the scorer needs labelled inlier classes

    def view_spec(self) -> ViewSpec:
        """The views that the scorer requests, for both ``fit`` and ``score``."""
        return ViewSpec()

    @abstractmethod
    def fit(self, features: Features) -> None:
        """Learns from the features of the training images, all of which are inliers."""

    def expose(self, features: Features) -> None:
        """Learns from known outliers. Called after ``fit`` if ``needs_exposed``."""
        raise NotImplementedError

    @abstractmethod
    def score(self, features: Features) -> Tensor:
        """Anomaly scores, shape (N,), float32. Higher means more anomalous."""

    def state(self) -> dict[str, Tensor]:
        """All tensors that ``fit`` and ``expose`` learned, by attribute name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Sets what another instance learned, from its ``state()``.

        Raises:
            ValueError: ``fit`` could not have set an attribute of that name.
        """
        for name, value in state.items():
            if not name.isidentifier() or hasattr(type(self), name):
                raise ValueError(f"'{name}' is not part of the state of this scorer")
            setattr(self, name, value)
