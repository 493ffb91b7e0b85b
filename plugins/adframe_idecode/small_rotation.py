"""Rotation by a few degrees."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Augmentation, Fraction, RandomKeys
from adframe.ops import to_float


class SmallRotation(Augmentation):
    """Rotates each image about its centre by a whole number of degrees (bilinear).

    One grey value fills the corners. Strength s scales the largest angle.

    Args:
        degrees: [inferred: iDECODe's code] Largest angle, in both directions.
        fill: [inferred: iDECODe's code, 128 of 255] Grey value of the corners, 0..1.
    """

    def __init__(
        self, degrees: Annotated[int, Interval(ge=0, le=180)] = 10, fill: Fraction = 128 / 255
    ) -> None:
        self.degrees = degrees
        self.fill = fill

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        images = to_float(images)
        reach = round(self.degrees * strength)
        turns = (keys.uniform() * (2 * reach + 1)).floor() - reach
        return turned(images, turns, self.fill)


def turned(images: Tensor, degrees: Tensor, fill: float) -> Tensor:
    """Images (N, C, H, W), each rotated counter-clockwise by its own angle, (N,) ``degrees``."""
    height, width = images.shape[-2:]
    angle = degrees.to(images.dtype) * (math.pi / 180)
    cos, sin, none = angle.cos(), angle.sin(), torch.zeros_like(angle)
    # affine_grid's axes run from -1 to 1 along each side, for any length in pixels.
    across, down = -sin * height / width, sin * width / height
    matrix = torch.stack([cos, across, none, down, cos, none], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return fill + F.grid_sample(images - fill, grid, align_corners=False)
