"""Shifts that move pixels and change none of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from adframe.interfaces import Shift


class Rotation(Shift):
    """Rotation by quarter turns, the default shift of the paper (section 4.1).

    An exact permutation of pixels, counter-clockwise; images must be square.

    Args:
        angles: [published: 90, 180, 270] Degrees, one variant each.
    """

    def __init__(self, angles: Sequence[Literal[90, 180, 270]] = (90, 180, 270)) -> None:
        self.angles = list(angles)
        if len(set(self.angles)) != len(self.angles) or not self.angles:
            raise ValueError(f"angles must be one or more different ones, not {self.angles}")
        self.variants = len(self.angles)

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        if variant == 0:
            return images
        if images.shape[-1] != images.shape[-2]:
            raise ValueError(f"rotation needs square images, not {tuple(images.shape[-2:])}")
        return torch.rot90(images, self.angles[variant - 1] // 90, dims=(-2, -1))


class CutPerm(Shift):
    """Halves swapped: upper with lower, left with right, both (CSI, Tack et al., NeurIPS 2020).

    Four arrangements of the image's quadrants, the image itself among them, so three variants. Of
    an odd number of rows or columns, the second half is the larger.
    """

    variants = 3

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        height, width = images.shape[-2:]
        if variant & 1:
            images = images.roll(width - width // 2, dims=-1)
        if variant & 2:
            images = images.roll(height - height // 2, dims=-2)
        return images


class Flip(Shift):
    """Mirroring, left to right: one of GEOM's transformations (Golan & El-Yaniv, NeurIPS 2018)."""

    variants = 1

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        return images.flip(-1) if variant else images


class Translation(Shift):
    """Moving the image by a quarter, what leaves one side mirrored in on the other.

    GEOM's (8 of 32 pixels, 16 of 64) and that of Hendrycks et al. (NeurIPS 2019; 56 of 224). The
    edge pixel is not repeated, as OpenCV's reflect-101 has it.

    Args:
        axes: ``both`` gives the eight moves along x, y and both; ``x`` and ``y`` two each.
        share: [published: 0.25] How far, as a share of the image's side, in whole pixels.
    """

    def __init__(
        self,
        axes: Literal["both", "x", "y"] = "both",
        share: Annotated[float, Interval(gt=0, lt=1)] = 0.25,
    ) -> None:
        self.share = share
        along = (0, -1, 1)
        moves = product(along if axes != "y" else (0,), along if axes != "x" else (0,))
        self.moves = list(moves)  # (x, y), the first of them none
        self.variants = len(self.moves) - 1

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        x, y = self.moves[variant]
        return self._move(self._move(images, x, -1), y, -2)

    def _move(self, images: Tensor, direction: int, dim: int) -> Tensor:
        if direction == 0:
            return images
        size = images.shape[dim]
        last = size - 1
        start = torch.arange(size, device=images.device) - direction * round(self.share * size)
        return images.index_select(dim, last - (last - start.abs()).abs())
