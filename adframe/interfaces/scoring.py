"""Scorers, which turn features into anomaly scores."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from adframe.interfaces.method import Method
from adframe.interfaces.types import Transform

#: Output name -> (N, views, shifts + 1 or 1, D) float32. With ``windows`` or ``stages`` two more
#: axes follow, rows and columns of places, and ``size`` is (N, 2) int64: height and width of each
#: image. For ``fit`` and ``expose``, ``label`` and ``index`` are (N,) int64.
Features = Mapping[str, Tensor]


@dataclass(frozen=True)
class Windows:
    """Square windows of an image, each of which a scorer gets features of.

    Attributes:
        size: side of a window in pixels.
        stride: pixels from a window to the next; the last ones end at the border of the image.
    """

    size: int
    stride: int

    def starts(self, length: int) -> list[int]:
        """First pixel of each window along a side of ``length`` pixels; at least ``size``."""
        last = length - self.size
        return [*range(0, last, self.stride), last]


@dataclass(frozen=True)
class ViewSpec:
    """The views of an image that a scorer requests.

    Scorers that request the same views share one forward pass.

    Attributes:
        views: number of test-time views.
        transform: augmentation of each view; None for the image as it is.
        apply_shifts: whether each view is also requested under each shift.
        outputs: names of the outputs of ``Method.embed``; or ``pixels``, the view itself, shape
            (N, views, shifts + 1 or 1, 3 x H x W).
        pre_shift: augmentation before the shift.
        independent: whether each shift of a view gets its own random numbers, for ``transform`` and
            ``pre_shift``. By default the shifts of a view share them.
        windows: windows of each image that take the place of the image; None for the whole image.
        stages: stages of the backbone whose feature maps are requested too, as ``stage_1`` and so
            on; 1 is the first. Not together with ``windows``.
        compute: computes ``outputs`` in place of ``Method.embed``, from the method and views,
            (N, 3, H, W) in 0..1: name -> (N, D). For gradients with respect to pixels, or a search
            in the network: gradients are on, weights are frozen, in evaluation mode. The result for
            an image must not depend on the other images; random numbers come from
            ``RandomKeys.from_images``.
    """

    views: int = 1
    transform: Transform | None = None
    apply_shifts: bool = False
    outputs: tuple[str, ...] = ("features",)
    pre_shift: Transform | None = None
    independent: bool = False
    windows: Windows | None = None
    stages: tuple[int, ...] = ()
    compute: Callable[[Any, Tensor], Mapping[str, Tensor]] | None = None


class _Constructed(ABCMeta):
    """Notes which attributes the constructor of a scorer sets."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        scorer = super().__call__(*args, **options)
        vars(scorer)[_GIVEN] = {
            name: None if value is None or isinstance(value, Tensor) else _shown(value)
            for name, value in vars(scorer).items()
        }
        return scorer


def _shown(value: Any) -> str:
    """A value of a constructor, as text that is equal for a copy of it."""
    plain: Any = type(value).__repr__ is object.__repr__  # type: ignore[comparison-overlap]
    return type(value).__qualname__ if plain else repr(value)


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
    #: Base class of the methods that the scorer works with, if ``ViewSpec.compute`` needs more than
    #: any method has. A config with another method is refused before training.
    needs_method: type[Method] = Method  # type: ignore[type-abstract]
    #: Whether the scorer learns from the training images, as a class that defines ``fit`` does.
    #: If no scorer does, they are not passed through the network.
    needs_fit: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "fit" in vars(cls) and "needs_fit" not in vars(cls):
            cls.needs_fit = True

    def view_spec(self) -> ViewSpec:
        """The views that the scorer requests, for both ``fit`` and ``score``."""
        return ViewSpec()

    def collect(self, features: Features) -> Features:
        """What ``fit`` and ``expose`` need of the features of a few images; all by default.

        The results for all images are concatenated. So memory is bounded by what is kept.
        """
        return features

    def fit(self, features: Features) -> None:
        """Learns from the features of the training images, all of which are inliers.

        Not called unless ``needs_fit``. By default a scorer learns nothing.
        """

    def expose(self, features: Features) -> None:
        """Learns from known outliers. Called after ``fit`` if ``needs_exposed``."""
        raise NotImplementedError

    @abstractmethod
    def score(self, features: Features) -> Tensor:
        """Anomaly scores, shape (N,), float32. Higher means more anomalous."""

    def nearest(self, features: Features, count: int) -> tuple[Tensor, Tensor]:
        """The training images that are nearest to each image, if the score compares with such.

        Returns:
            (N, count) int64, their numbers in the order of ``fit``, and (N, count) floating point,
            the distances, ascending; fewer columns if there are fewer training images.
        """
        raise NotImplementedError

    def grow(self, features: Features, limit: int | None) -> Tensor:
        """Adds inliers to what the score compares with, without fitting again, if it can.

        Args:
            features: those of the new inliers.
            limit: largest number of inliers that are kept, chosen to stand for all; None keeps all.

        Returns:
            (K,) int64, ascending: those that are kept, of the earlier ones and then the new ones;
            empty if the score does not compare with whole images.
        """
        raise NotImplementedError

    def module(self) -> nn.Module | None:
        """A module for ``adframe export``: features -> scores (N,), or maps of a ``MapScorer``.

        The default calls ``score`` or ``maps``. That will do where these compute with tensors, and
        no branch or loop depends on their values or on N; ``torch.compiler.is_exporting()`` is true
        meanwhile. Another way of computing the same may be returned, or None if there is none.
        """
        return _Calls(self.maps if isinstance(self, MapScorer) else self.score)

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
            elif _shown(value) != given[name]:
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


class _Calls(nn.Module):
    """A function of features as a module."""

    def __init__(self, function: Callable[[Features], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        return self.function(features)


class MapScorer(Scorer):
    """An anomaly score of each pixel, and from these the score of the image.

    It requests ``windows`` or ``stages`` in its ``view_spec``.
    """

    @abstractmethod
    def maps(self, features: Features) -> Tensor:
        """Anomaly score of each pixel, shape (N, H, W), float32; ``features["size"]`` has H, W."""

    def reduce(self, maps: Tensor) -> Tensor:
        """Score of each image, shape (N,), from its map; the largest value by default."""
        return maps.amax((1, 2))

    def score(self, features: Features) -> Tensor:
        """Anomaly scores, shape (N,), float32, from the maps."""
        return self.reduce(self.maps(features))
