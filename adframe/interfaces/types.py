"""Values that components exchange: batches, views, stages, updates. Types of numbers.

Images are (N, 3, H, W): uint8 in 0..255 as data, floating point in 0..1 once augmented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor

from adframe.random import RandomKeys

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Interval(ge=0, le=1)]
Count = Annotated[int, Interval(ge=1, le=1_000_000)]
ViewCount = Annotated[int, Interval(ge=1, le=1000)]  # each view is one more forward pass
LayerWidth = Annotated[int, Interval(ge=1, le=65_536)]


@dataclass(frozen=True)
class NoEffect:
    """Marks an option that cannot change the result of a run: ``Annotated[int, NoEffect()]``.

    A run can be resumed with another value of it. Options of type ``Path`` need no mark.
    """


Transform = Callable[[Tensor, RandomKeys], Tensor]


@dataclass
class Batch:
    """A batch of images from the data set, before any shift or augmentation.

    Attributes:
        pixels: (N, 3, H, W) uint8.
        label: (N,) int64, the inlier class, or -1.
        keys: random keys of the images, fixed by seed, epoch and image.
        exposed: known outliers to train with (outlier exposure), if there are any.
    """

    pixels: Tensor
    label: Tensor
    keys: RandomKeys
    exposed: Batch | None = None


@dataclass
class Views:
    """Metadata of each row of a batch of embeddings. The order of rows has no meaning.

    Attributes:
        source: (N,) int64, index of the source image in the batch.
        shift: (N,) int64, number of the shift; 0 means unshifted.
        label: (N,) int64, class of the source image; -1 means unlabelled.
        inlier: (N,) bool, false for virtual outliers and for exposed outliers.
        images: (N, 3, H, W) input of the network, if a loss needs it.
        view: (N,) int64, number of the augmented view.
        progress: of the run, 0 at the start of training, 1 at its end; for losses that change.
    """

    source: Tensor
    shift: Tensor
    label: Tensor
    inlier: Tensor
    images: Tensor | None = None
    view: Tensor | None = None
    progress: float = 0.0

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: Tensor) -> Views:
        images = None if self.images is None else self.images[rows]
        view = None if self.view is None else self.view[rows]
        known = self.source[rows], self.shift[rows], self.label[rows], self.inlier[rows]
        return Views(*known, images=images, view=view, progress=self.progress)

    def shown(self) -> Tensor:
        """Mask, shape (N,): true for inliers and virtual outliers, false for exposed outliers."""
        return self.inlier | (self.shift > 0)

    def instance(self) -> Tensor:
        """Instance id, shape (N,), int64: equal only for views of one image under one shift."""
        return self.source * (self.shift.max() + 1) + self.shift

    def repeat(self, times: int) -> Views:
        """Repeats all rows as more views. ``view`` is the number of the copy."""
        rows = torch.arange(len(self), device=self.source.device)
        copies = self[rows.repeat(times)]
        return replace(
            copies, view=torch.arange(times, device=rows.device).repeat_interleave(len(rows))
        )


@dataclass(frozen=True)
class Stage:
    """A stage to train and its views. Views may have fewer pixels than images, but not more."""

    level: int  #: 1 is the first stage of the network
    augmentation: Transform  #: makes the views of this stage (T_i of Wang et al., ICCV 2023)


@dataclass
class Update:
    """A loss to minimise over one group of parameters, with metrics to log.

    Name the metric of a term ``<loss>_<stage>``. An error message about a loss that is not finite
    uses that name.
    """

    loss: Tensor
    group: str = "main"
    metrics: Mapping[str, Tensor] = field(default_factory=dict)  #: detached
