"""Combinations of several shifts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from adframe.interfaces import Shift


class Compose(Shift):
    """All combinations of several shifts, applied in sequence.

    GEOM's 72 transformations are ``of: [flip, translation, rotation]``: 2 x 9 x 4 with the image
    itself, so 71 variants. The variant of the last shift changes fastest.

    Args:
        of: The shifts, in the order of application.

    Raises:
        ValueError: ``of`` is empty.
    """

    def __init__(self, of: Sequence[Shift]) -> None:
        if not of:
            raise ValueError("of: name at least one shift")
        self.of = list(of)
        self.counts = [1 + shift.variants for shift in of]
        self.variants = math.prod(self.counts) - 1

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        for shift, which in zip(self.of, self.parts(variant), strict=True):
            images = shift(images, which)
        return images

    def parts(self, variant: int) -> list[int]:
        """The variant of each shift that a variant of the combination stands for."""
        parts = []
        for count in reversed(self.counts):
            variant, which = divmod(variant, count)
            parts.append(which)
        return parts[::-1]
