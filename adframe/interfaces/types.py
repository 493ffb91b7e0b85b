"""The values that pass between components: batches, views, stages, updates; number types.

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

Transform = Callable[[Tensor, RandomKeys], Tensor]


@dataclass
class Batch:
    """Images as they come from the data set, before any shift or augmentation.

    Attributes:
        pixels: (N, 3, H, W) uint8.
        label: (N,) int64, the inlier class, or -1.
        keys: random numbers for this batch, fixed by seed, epoch and image.
        exposed: outliers to learn from beside the inliers (outlier exposure), if there are any.
    """

    pixels: Tensor
    label: Tensor
    keys: RandomKeys
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
