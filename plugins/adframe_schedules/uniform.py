"""One strength of augmentation."""

from __future__ import annotations

from functools import partial

from adframe.interfaces import Augmentation, Fraction, Schedule, Stage


class Uniform(Schedule):
    """One strength of augmentation, for the last stage only.

    Args:
        augmentation: What makes the views.
        strength: Its strength.
    """

    def __init__(self, augmentation: Augmentation, strength: Fraction = 1.0) -> None:
        self.augmentation = augmentation
        self.strength = strength

    def stages(self, levels: int, progress: float) -> list[Stage]:
        return [Stage(levels, partial(self.augmentation, strength=self.strength))]
