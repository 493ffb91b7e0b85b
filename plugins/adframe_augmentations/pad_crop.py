"""The usual augmentation of classifiers: pad, crop to the original size, flip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from adframe.interfaces import Augmentation, Fraction, RandomKeys
from adframe.ops import to_float

from .flip import mirror


class PadCrop(Augmentation):
    """Moves each image by a few pixels and mirrors some of them left to right.

    Black pixels fill the gap. Strength s scales the largest distance and the probability of a
    flip. With ``padding: 0`` and ``flip_probability: 0`` images stay as they are.

    Args:
        padding: [published: 4 of 32 pixels] Largest distance in pixels along each axis.
        flip_probability: [published: 0.5] Share of the images that are mirrored.
    """

    def __init__(
        self,
        padding: Annotated[int, Interval(ge=0, le=256)] = 4,
        flip_probability: Fraction = 0.5,
    ) -> None:
        self.padding = padding
        self.flip_probability = flip_probability

    def symmetries(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        return {"flip_probability": mirror} if self.flip_probability else {}

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        images = to_float(images)
        reach = round(self.padding * strength)
        if reach:
            moves = (keys.uniform(2) * (2 * reach + 1)).long() - reach  # (N, 2), -reach..reach
            images = _moved(_moved(images, moves[:, 0], -1), moves[:, 1], -2)
        if self.flip_probability:
            mirrored = keys.uniform() < self.flip_probability * strength
            images = torch.where(mirrored[:, None, None, None], mirror(images), images)
        return images


def _moved(images: Tensor, by: Tensor, dim: int) -> Tensor:
    """Translates each image by its own number of pixels along an axis. Zeros fill the gap."""
    size = images.shape[dim]
    start = torch.arange(size, device=images.device) - by[:, None]  # (N, size)
    inside = (start >= 0) & (start < size)
    shape = (-1, 1, 1, size) if dim == -1 else (-1, 1, size, 1)
    index = start.clamp(0, size - 1).view(shape).expand_as(images)
    return images.gather(dim, index) * inside.view(shape).to(images.dtype)
