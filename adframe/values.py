"""The values that pass between components: images, views, stages, updates.

Public through ``adframe.interfaces``. Images are (N, 3, H, W): uint8 in 0..255 as data, floating
point in 0..1 once augmented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from adframe.data.lazy import Pixels as Pixels
from adframe.random import Draws

if TYPE_CHECKING:
    from adframe.interfaces import Backbone, Loss, Schedule, Shift

# --- data ---------------------------------------------------------------------------------------


@dataclass
class Images:
    """Images with their truth.

    Attributes:
        pixels: (N, 3, H, W) uint8, a tensor, or ``Lazy``, of which parts can be had as tensors.
        label: (N,) int64, the inlier class, or -1 where there is none.
        outlier: (N,) bool, true for anomalies; all false in a training split.
        names: what each image is called in ``scores.csv``: its path, or its index.
    """

    pixels: Pixels
    label: Tensor
    outlier: Tensor
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass
class Splits:
    """What a data set delivers: inliers to train on, and test images with their truth."""

    train: Images
    test: Images
    classes: Sequence[str] = ("inlier",)  #: names of the inlier classes that ``label`` counts


# --- what a network is trained on ---------------------------------------------------------------


@dataclass
class Batch:
    """Images as they come from the data set, before any shift or augmentation.

    Attributes:
        pixels: (N, 3, H, W) uint8.
        label: (N,) int64, the inlier class, or -1.
        draws: random numbers for this batch, fixed by seed, epoch and image.
        exposed: outliers to learn from beside the inliers (outlier exposure), if there are any.
    """

    pixels: Tensor
    label: Tensor
    draws: Draws
    exposed: Batch | None = None


@dataclass
class Views:
    """What is known of each row of a batch of embeddings. Row order means nothing.

    Attributes:
        source: (N,) int64, which image of the batch the row came from.
        shift: (N,) int64, which shifting transformation made it; 0 = unshifted.
        label: (N,) int64, class of the source image; -1 = unlabelled.
        inlier: (N,) bool; false for virtual outliers and for exposed ones.
        images: (N, 3, H, W) what the network saw, where a loss needs it.
        view: (N,) int64, which of its augmented views the row is.
    """

    source: Tensor
    shift: Tensor
    label: Tensor
    inlier: Tensor
    images: Tensor | None = None
    view: Tensor | None = None

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: Tensor) -> Views:
        images = None if self.images is None else self.images[rows]
        view = None if self.view is None else self.view[rows]
        known = self.source[rows], self.shift[rows], self.label[rows], self.inlier[rows]
        return Views(*known, images=images, view=view)

    def shown(self) -> Tensor:
        """(N,) bool, true for inliers and their shifted selves, false for exposed outliers."""
        return self.inlier | (self.shift > 0)

    def instance(self) -> Tensor:
        """(N,) int64, equal exactly for the views of one image under one shift."""
        return self.source * (self.shift.max() + 1) + self.shift

    def repeat(self, times: int) -> Views:
        """The same rows again as further views, ``view`` counting the copies."""
        rows = torch.arange(len(self), device=self.source.device)
        copies = self[rows.repeat(times)]
        return replace(
            copies, view=torch.arange(times, device=rows.device).repeat_interleave(len(rows))
        )


Transform = Callable[[Tensor, Draws], Tensor]


def count_variants(shifts: Sequence[Shift]) -> int:
    """How many variants there are, the unshifted one included."""
    return 1 + sum(shift.variants for shift in shifts)


def every_variant(images: Tensor, shifts: Sequence[Shift]) -> list[Tensor]:
    """Images unshifted, and then under each variant of each shift, as ``Views.shift`` counts."""
    return [images, *(shift(images, v + 1) for shift in shifts for v in range(shift.variants))]


@dataclass(frozen=True)
class Stage:
    """What one depth of the network sees: level 1 is the first stage, ``augmentation`` its T_i.

    Views may have fewer pixels than their images, never more.
    """

    level: int
    augmentation: Transform


@dataclass
class Update:
    """A loss to minimise over one group of parameters, and what to log of it (detached).

    A term of the loss is logged as ``<loss>_<stage>``: by that name a fault of its is told.
    """

    loss: Tensor
    group: str = "main"
    metrics: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Dims:
    """What a loss must know to make its parameters: width of its input, shifts + 1, classes."""

    embedding: int
    shifts: int
    classes: int


@dataclass(frozen=True)
class Objective:
    """One term of the training objective: a loss, at which stages, with which weight at each."""

    loss: Callable[[], Loss]  #: makes a new instance, since each stage may train parameters
    stages: Sequence[int] | None
    weight: float | Sequence[float]


@dataclass(frozen=True)
class Parts:
    """The components a method trains with, built, and what is known of the data."""

    backbone: Backbone
    shifts: Sequence[Shift]
    schedule: Schedule
    objective: Sequence[Objective]
    classes: int


# --- what a scorer sees --------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """How a scorer wants to see each image.

    Attributes:
        views: how many test-time views.
        transform: what makes a view; the plain image where it is None.
        shifted: whether every view is also wanted under every shift.
        outputs: which outputs of ``Method.embed``.
        before: what else makes a view, before it is shifted; all shifts of a view share it.
    """

    views: int = 1
    transform: Transform | None = None
    shifted: bool = False
    outputs: tuple[str, ...] = ("features",)
    before: Transform | None = None


Features = Mapping[str, Tensor]  #: output name -> (N, views, shifts + 1 or 1, D) float32
