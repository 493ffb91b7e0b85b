"""Base classes of the components that train a network: all but networks and methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from adframe.interfaces.types import Stage, Views
from adframe.random import RandomKeys


class Shift(ABC):
    """A shifting transformation, which turns inliers into virtual outliers.

    Variant 0 returns the images as they are; variants 1 to ``variants`` shift them. Each variant
    is a separate class of virtual outliers. Shape, dtype and value range stay the same.
    """

    variants: int  #: number of variants, variant 0 not counted

    @abstractmethod
    def __call__(self, images: Tensor, variant: int) -> Tensor:
        """Shifts each of (N, 3, H, W) images, uint8 or floating point in 0..1, independently.

        Raises:
            ValueError: images of this size cannot be shifted.
        """


class Augmentation(ABC):
    """A random transform of a batch. Each image gets its own random parameters."""

    resizes: bool = False  #: whether views have fewer pixels than the images

    @abstractmethod
    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        """Augments a batch of images.

        Args:
            images: (N, 3, H, W), uint8 or floating point in 0..1.
            keys: N keys. All random numbers must come from them.
            strength: 0 (weak) to 1 (the full pipeline).

        Returns:
            (N, 3, H, W) floating point in 0..1, or fewer pixels if ``resizes``. Floating-point
            images keep their dtype; uint8 images become float32.
        """

    def symmetries(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """Exact transforms of (N, 3, H, W) images that some of the images get and others do not.

        Such as a mirror image: it turns a rotation by 90 degrees into one by 270. A config that
        applies it after the shift, and classifies shifts, is refused. Keys are the options that
        turn a transform off when they are 0.
        """
        return {}


class Schedule(ABC):
    """A schedule of training: which stages are trained, when, on which augmented views."""

    @abstractmethod
    def stages(self, levels: int, progress: float) -> list[Stage]:
        """The stages to train at one time of the run, from the first to the last.

        Args:
            levels: number of stages of the backbone.
            progress: 0 at the start of training, 1 at its end.

        Raises:
            ValueError: the schedule does not fit a network with that many stages.
        """

    def levels(self, levels: int) -> list[tuple[int, ...]]:
        """All sets of stages that are trained together during a run, without duplicates.

        A method reads it to know which stages need losses. The default calls ``stages`` 101 times
        over the run. Override it if a set of stages may be trained for less than 1 % of a run.

        Args:
            levels: number of stages of the backbone.

        Raises:
            ValueError: the schedule does not fit a network with that many stages.

        Example:
            Last stage first, then stages 3 and 4: ``[(4,), (3, 4)]``.
        """
        plans = (self.stages(levels, percent / 100) for percent in range(101))
        return list(dict.fromkeys(tuple(stage.level for stage in plan) for plan in plans))


class Loss(nn.Module, ABC):
    """A loss on the embeddings of one stage. Its value does not depend on the order of rows."""

    #: Whether the loss gets embeddings of the projection head, or pooled features.
    reads: Literal["projection", "features"] = "projection"
    #: Names of the outputs of ``predict``, for scorers. Empty for a loss without a classifier.
    outputs: tuple[str, ...] = ()
    #: Whether the loss treats each shift as a separate class.
    separates_shifts: bool = False

    def setup(self, dims: LossDims) -> None:
        """Creates the parameters of the loss. Called once, before the optimiser is built."""

    @abstractmethod
    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        """The loss, a scalar, from (N, D) embeddings (not normalised) and the views' metadata."""

    def predict(self, embeddings: Tensor) -> dict[str, Tensor]:
        """Predictions by name, such as a classifier's logits: (N, K) for each of ``outputs``."""
        return {}


class Optimizer(ABC):
    """An optimiser and its learning rate over a run."""

    @abstractmethod
    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Creates the PyTorch optimiser of one group of parameters, at the base learning rate."""

    def rate(self, progress: float) -> float:
        """Factor of the base learning rate at ``progress`` in 0..1."""
        return 1.0


@dataclass(frozen=True)
class LossDims:
    """Sizes that a loss needs to create its parameters."""

    embedding: int  #: number of features in an embedding (D)
    shifts: int  #: number of shifts, the unshifted one included
    classes: int  #: number of inlier classes


def count_variants(shifts: Sequence[Shift]) -> int:
    """Number of variants of all shifts, the unshifted one included."""
    return 1 + sum(shift.variants for shift in shifts)


def every_variant(images: Tensor | Sequence[Tensor], shifts: Sequence[Shift]) -> list[Tensor]:
    """Lists the unshifted images, then each variant of each shift, numbered as ``Views.shift``.

    Args:
        images: (N, 3, H, W), or one such tensor for each variant, the unshifted one first.
        shifts: the shifts of the run.
    """
    variants = [(shift, v + 1) for shift in shifts for v in range(shift.variants)]
    given = [images] * (1 + len(variants)) if isinstance(images, Tensor) else images
    shifted = (shift(x, v) for x, (shift, v) in zip(given[1:], variants, strict=True))
    return [given[0], *shifted]
