"""Scorers: from features to anomaly scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from adframe.interfaces.types import Transform

Features = Mapping[str, Tensor]  #: output name -> (N, views, shifts + 1 or 1, D) float32


@dataclass(frozen=True)
class ViewSpec:
    """How a scorer wants to see each image.

    Attributes:
        views: how many test-time views.
        transform: what makes a view; the plain image where it is None.
        apply_shifts: whether every view is also wanted under every shift.
        outputs: which outputs of ``Method.embed``.
        pre_shift: what else makes a view, before it is shifted; all shifts of a view share it.
    """

    views: int = 1
    transform: Transform | None = None
    apply_shifts: bool = False
    outputs: tuple[str, ...] = ("features",)
    pre_shift: Transform | None = None


class Scorer(ABC):
    """An anomaly score fitted on training features.

    Every tensor attribute that ``fit`` sets is saved with the run and restored from it. The score
    of an image does not depend on what else is scored with it. A scorer that compares with known
    outliers, the training images under ``exposure``, says so in ``needs_exposed``; one that tells
    labelled inlier classes apart in ``needs_classes``.
    """

    needs_exposed: ClassVar[bool] = False
    needs_classes: ClassVar[bool] = False

    def view_spec(self) -> ViewSpec:
        """How the images are to be seen, in training and at test time alike."""
        return ViewSpec()

    @abstractmethod
    def fit(self, features: Features) -> None:
        """Learn from the training images' features what is normal."""

    def expose(self, features: Features) -> None:
        """Learn, after ``fit``, from known outliers; called where ``needs_exposed``."""
        raise NotImplementedError

    @abstractmethod
    def score(self, features: Features) -> Tensor:
        """(N,) float32 scores; higher = more anomalous."""

    def state(self) -> dict[str, Tensor]:
        """What ``fit`` learned, by attribute name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what another instance learned, from its ``state()``.

        Raises:
            ValueError: a name is none that ``fit`` could have set.
        """
        for name, value in state.items():
            if not name.isidentifier() or hasattr(type(self), name):
                raise ValueError(f"'{name}' is nothing that is learned")
            setattr(self, name, value)
