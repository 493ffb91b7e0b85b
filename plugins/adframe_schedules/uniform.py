"""One strength of augmentation."""

from __future__ import annotations

from functools import partial

from adframe.interfaces import Augmentation, Fraction, Schedule, Stage


class Uniform(Schedule):
    """Trains the last stage only, with constant strength of augmentation.

    Args:
        augmentation: Augmentation of the views.
        strength: Strength of the augmentation.
    """

    def __init__(self, augmentation: Augmentation, strength: Fraction = 1.0) -> None:
        self.augmentation = augmentation
        self.strength = strength

    def stages(self, levels: int, progress: float) -> list[Stage]:
        return [Stage(levels, partial(self.augmentation, strength=self.strength))]

    def levels(self, levels: int) -> list[tuple[int, ...]]:
        return [(levels,)]
