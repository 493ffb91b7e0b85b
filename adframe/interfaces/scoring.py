"""Scorers, which turn features into anomaly scores."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
        pre_shift: augmentation before the shift.
        independent: whether each shift of a view gets its own random numbers, for ``transform`` and
            ``pre_shift``. By default the shifts of a view share them.
    """

    views: int = 1
    transform: Transform | None = None
    apply_shifts: bool = False
    outputs: tuple[str, ...] = ("features",)
    pre_shift: Transform | None = None
    independent: bool = False


class _Constructed(ABCMeta):
    """Notes which attributes the constructor of a scorer sets."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        scorer = super().__call__(*args, **options)
        vars(scorer)[_GIVEN] = {
            name: None if value is None or isinstance(value, Tensor) else repr(value)
            for name, value in vars(scorer).items()
        }
        return scorer


_GIVEN = "_adframe_given"  # attributes after the constructor; None: a place for a learned value


class Scorer(metaclass=_Constructed):
    """An anomaly score, fitted on the features of the training images.

    A score does not depend on which other images are in the batch. What ``fit`` and ``expose``
    learn are the attributes that they set: tensors, NumPy arrays, numbers, text, and lists, tuples
    and dicts of these. They are saved with the run and restored from it, without pickle. The
    constructor sets options; a value that is learned later may be None there.
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

    def state(self) -> dict[str, Any]:
        """What ``fit`` and ``expose`` learned, by attribute name.

        Raises:
            ValueError: one of them changed an option, which the constructor sets.
        """
        given, learned = vars(self).get(_GIVEN, {}), dict[str, Any]()
        for name, value in vars(self).items():
            if name == _GIVEN or value is None:
                continue
            if given.get(name) is None:
                learned[name] = value
            elif repr(value) != given[name]:
                raise ValueError(f"fit changes '{name}', an option; the constructor must set None")
        return learned

    def restore(self, state: Mapping[str, Any]) -> None:
        """Sets what another instance learned, from its ``state()``.

        Raises:
            ValueError: ``fit`` could not have set an attribute of that name.
        """
        for name, value in state.items():
            fixed = vars(self).get(_GIVEN, {}).get(name) is not None or hasattr(type(self), name)
            if not name.isidentifier() or name == _GIVEN or fixed:
                raise ValueError(f"'{name}' is not part of the state of this scorer")
            setattr(self, name, value)
