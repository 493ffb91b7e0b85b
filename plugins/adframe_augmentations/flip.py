"""Horizontal flip."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from adframe.interfaces import Augmentation, Fraction, RandomKeys
from adframe.ops import to_float


def mirror(images: Tensor) -> Tensor:
    """Images mirrored left to right."""
    return images.flip(-1)


class Flip(Augmentation):
    """Mirrors images left to right, at every strength. Use it before a shift.

    Args:
        probability: [inferred: CSI's code, 0.5] Share of the images that are mirrored.
    """

    def __init__(self, probability: Fraction = 0.5) -> None:
        self.probability = probability

    def symmetries(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        return {"probability": mirror} if 0 < self.probability < 1 else {}

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        images = to_float(images)
        if not self.probability:
            return images
        flip = keys.uniform() < self.probability
        return torch.where(flip[:, None, None, None], mirror(images), images)
