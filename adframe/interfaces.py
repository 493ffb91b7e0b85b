"""What a component is: one base class per kind. This module is all a plugin imports, with hookimpl.

The constructor is the schema: each of its parameters is a config key, annotated with a type (and
bounds, with ``annotated_types`` or the aliases below) and described in the docstring under
``Args:``. A parameter annotated with a base class nests a component. What is known only at run
time arrives through the named methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn

from adframe.random import Draws as Draws
from adframe.values import Batch as Batch
from adframe.values import Dims as Dims
from adframe.values import Features as Features
from adframe.values import Images as Images
from adframe.values import Look as Look
from adframe.values import Objective as Objective
from adframe.values import Parts as Parts
from adframe.values import Pixels as Pixels
from adframe.values import Splits as Splits
from adframe.values import Stage as Stage
from adframe.values import Transform as Transform
from adframe.values import Update as Update
from adframe.values import Views as Views
from adframe.values import count_variants as count_variants
from adframe.values import every_variant as every_variant

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Interval(ge=0, le=1)]
Count = Annotated[int, Interval(ge=1, le=1_000_000)]


class Dataset(ABC):
    """Images of what is normal, and test images with their truth."""

    @abstractmethod
    def load(self, seed: int) -> Splits:
        """Read the images; ``seed`` decides a split where the data set makes one.

        Raises:
            adframe.UserError: the data is missing, empty or unreadable; one clear line.
        """

    def outliers(self, seed: int) -> Images:
        """The whole test split, where a config names this data set under ``outliers``.

        Every image of it counts as an anomaly, whatever the data set calls normal. Override it
        where the test images can be had without training images.
        """
        return self.load(seed).test

    def exposed(self, seed: int) -> Images:
        """Images to learn from as known outliers, where a config names it under ``exposure``."""
        return self.load(seed).train


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
    def __call__(self, images: Tensor, draws: Draws, strength: float = 1.0) -> Tensor:
        """Augment (N, 3, H, W) images, uint8 or floating point in 0..1.

        Args:
            images: what to augment.
            draws: N keys; every random number comes from here.
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

    def setup(self, dims: Dims) -> None:
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
    def setup(self, parts: Parts) -> None:
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


class Scorer(ABC):
    """An anomaly score fitted on training features.

    Every tensor attribute that ``fit`` sets is saved with the run and restored from it. The score
    of an image does not depend on what else is scored with it. A scorer that compares with known
    outliers, the training images under ``exposure``, says so in ``needs_exposed``; one that tells
    labelled inlier classes apart in ``needs_classes``.
    """

    needs_exposed: ClassVar[bool] = False
    needs_classes: ClassVar[bool] = False

    def look(self) -> Look:
        """How the images are to be seen, in training and at test time alike."""
        return Look()

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
