"""Mirroring, alone."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe.interfaces import Augmentation, Fraction, RandomKeys


class Flip(Augmentation):
    """Mirrors images left to right, at every strength; for use before a shift.

    Args:
        probability: [inferred: CSI's code, 0.5] Share of the images that are mirrored.
    """

    def __init__(self, probability: Fraction = 0.5) -> None:
        self.probability = probability

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        if not images.is_floating_point():
            images = images.float().div_(255)
        if not self.probability:
            return images
        flip = keys.uniform() < self.probability
        return torch.where(flip[:, None, None, None], images.flip(-1), images)
