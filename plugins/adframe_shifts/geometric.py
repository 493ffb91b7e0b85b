"""Shifts that move pixels and do not change their values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from adframe.interfaces import Shift


class Rotation(Shift):
    """Rotation by quarter turns, the usual shift of UniCon-HA and CSI.

    Turns counter-clockwise, without interpolation. Images must be square.

    Args:
        angles: [published: 90, 180, 270] Degrees, one variant each.

    Raises:
        ValueError: ``angles`` is empty or repeats a value; an image is not square.
    """

    def __init__(self, angles: Sequence[Literal[90, 180, 270]] = (90, 180, 270)) -> None:
        self.angles = list(angles)
        if len(set(self.angles)) != len(self.angles) or not self.angles:
            raise ValueError(f"angles must be one or more different values, not {self.angles}")
        self.variants = len(self.angles)

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        if variant == 0:
            return images
        if images.shape[-1] != images.shape[-2]:
            raise ValueError(f"needs square images, not {tuple(images.shape[-2:])} pixels")
        return torch.rot90(images, self.angles[variant - 1] // 90, dims=(-2, -1))


class CutPerm(Shift):
    """Swaps the upper and lower half, the left and right half, or both (CSI, NeurIPS 2020).

    These are four arrangements of the quadrants, one of which is the image itself: so three
    variants. With an odd number of rows or columns the second half is the larger one.
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
    """Horizontal flip, one of GEOM's transformations (Golan & El-Yaniv, NeurIPS 2018)."""

    variants = 1

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        return images.flip(-1) if variant else images


class Translation(Shift):
    """Translation by a quarter of the image's side. Mirrored pixels fill the gap.

    As in GEOM (8 of 32 pixels, 16 of 64) and Hendrycks et al. (NeurIPS 2019; 56 of 224).

    Args:
        axes: ``both`` gives eight moves, along x, y and both; ``x`` or ``y`` gives two.
        share: [published: 0.25] Distance as a share of the side, rounded to whole pixels.
        border: How pixels are mirrored, in NumPy's words: ``reflect`` does not repeat the pixel at
            the edge, as the code of Rot+Trans; ``symmetric`` does, as the code of GEOM and GOAD.
    """

    def __init__(
        self,
        axes: Literal["both", "x", "y"] = "both",
        share: Annotated[float, Interval(gt=0, lt=1)] = 0.25,
        border: Literal["reflect", "symmetric"] = "reflect",
    ) -> None:
        self.share = share
        self.border = border
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
        start = torch.arange(size, device=images.device) - direction * round(self.share * size)
        edge = int(self.border == "symmetric")  # rows that are repeated at each edge
        mirrored = torch.where(start < 0, -start - edge, start)
        beyond = 2 * (size - 1) + edge - mirrored
        return images.index_select(dim, torch.where(mirrored < size, mirrored, beyond))
