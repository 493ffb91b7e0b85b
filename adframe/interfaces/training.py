"""What trains a network: one base class for each kind of component but data sets and scorers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from adframe.interfaces.types import Batch, Stage, Update, Views
from adframe.random import RandomKeys


class Backbone(nn.Module, ABC):
    """A network that returns the feature map of each of its stages.

    ``widths`` holds the number of channels of each stage's map.
    """

    widths: list[int]

    @abstractmethod
    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        """Feature maps (N, widths[i], H_i, W_i) of stages 1..depth, computed no deeper than asked.

        Args:
            images: (N, 3, H, W) floating point in 0..1; the backbone normalises.
            depth: how many stages to compute; all by default.
        """


class Shift(ABC):
    """A shifting transformation: variant 0 leaves images as they are, 1..``variants`` shift them.

    Every variant is its own class of virtual outliers. Shape, dtype and range are kept.
    """

    variants: int

    @abstractmethod
    def __call__(self, images: Tensor, variant: int) -> Tensor:
        """Shift (N, 3, H, W) images, uint8 or floating point in 0..1, each by itself."""


class Augmentation(ABC):
    """A batched random transform; every image has parameters of its own."""

    @abstractmethod
    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        """Augment (N, 3, H, W) images, uint8 or floating point in 0..1.

        Args:
            images: what to augment.
            keys: N keys; every random number comes from here.
            strength: 0 (mild) to 1 (the full pipeline).

        Returns:
            (N, 3, H, W) floating point in 0..1, in the input's dtype where that is floating point.
        """


class Schedule(ABC):
    """Which augmentation each depth of the network sees, and when."""

    @abstractmethod
    def stages(self, levels: int, progress: float) -> list[Stage]:
        """The stages to train now.

        Args:
            levels: number of stages of the backbone.
            progress: 0 at the start of training, 1 at its end.

        Raises:
            ValueError: the schedule does not fit a network of so many stages.
        """


class Loss(nn.Module, ABC):
    """A training objective over the embeddings of one stage.

    ``reads`` says which embeddings it wants: the output of the stage's projection head, or the
    pooled features themselves. The value does not depend on the order of rows. A loss that trains
    a classifier of its own names in ``outputs`` what that says of an image, for scorers to use.
    """

    reads: ClassVar[Literal["projection", "features"]] = "projection"
    outputs: ClassVar[tuple[str, ...]] = ()

    def setup(self, dims: LossDims) -> None:
        """Make parameters of the loss's own, once, before the optimiser is built."""

    @abstractmethod
    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        """A scalar from (N, D) embeddings, not normalised, and what is known of each row."""

    def predict(self, embeddings: Tensor) -> dict[str, Tensor]:
        """By name, (N, K) for each of ``outputs``, such as a classifier's logits."""
        return {}


class Method(nn.Module, ABC):
    """How a batch becomes optimiser updates.

    A method that learns from ``Batch.exposed`` says so in ``takes_exposed``.
    """

    takes_exposed: ClassVar[bool] = False

    @abstractmethod
    def setup(self, parts: MethodParts) -> None:
        """Keep the parts and make what else is trained; called once, before ``groups``.

        Raises:
            ValueError: the parts do not fit together; one clear line.
        """

    @abstractmethod
    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        """Yield losses to minimise; resumed after the optimiser's step was taken on each."""

    @abstractmethod
    def embed(self, images: Tensor) -> dict[str, Tensor]:
        """What the trained network says of (N, 3, H, W) floating-point images.

        Returns:
            name -> (N, D) for each of ``outputs()``.
        """

    def outputs(self) -> tuple[str, ...]:
        """Names of what ``embed`` returns once set up; ``features``, pooled, is always there."""
        return ("features",)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the group of the update that moves them."""
        return {"main": list(self.parameters())}


class Optimizer(ABC):
    """How parameters move, and the learning rate over a run."""

    @abstractmethod
    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """A PyTorch optimiser over one group of parameters, at the base learning rate."""

    def rate(self, progress: float) -> float:
        """What to multiply the base learning rate with at ``progress`` in 0..1."""
        return 1.0


@dataclass(frozen=True)
class LossDims:
    """What a loss must know to make its parameters: width of its input, shifts + 1, classes."""

    embedding: int
    shifts: int
    classes: int


@dataclass(frozen=True)
class LossTerm:
    """One term of the training objective: a loss, at which stages, with which weight at each."""

    loss: Callable[[], Loss]  #: makes a new instance, since each stage may train parameters
    stages: Sequence[int] | None
    weight: float | Sequence[float]
    name: str = "term"  #: the loss's registered name; its value at stage 4 is logged as ``name_4``


@dataclass(frozen=True)
class MethodParts:
    """The components a method trains with, built, and what is known of the data."""

    backbone: Backbone
    shifts: Sequence[Shift]
    schedule: Schedule
    objective: Sequence[LossTerm]
    classes: int


def count_variants(shifts: Sequence[Shift]) -> int:
    """How many variants there are, the unshifted one included."""
    return 1 + sum(shift.variants for shift in shifts)


def every_variant(images: Tensor, shifts: Sequence[Shift]) -> list[Tensor]:
    """Images unshifted, and then under each variant of each shift, as ``Views.shift`` counts."""
    return [images, *(shift(images, v + 1) for shift in shifts for v in range(shift.variants))]
