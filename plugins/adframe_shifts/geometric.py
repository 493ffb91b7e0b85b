"""Shifts that move pixels and change none of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
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
