"""Augmentation that grows stronger during training."""

from __future__ import annotations

from functools import partial

from adframe.interfaces import Augmentation, Fraction, Schedule, Stage


class Curriculum(Schedule):
    """Trains the last stage only, with augmentation that grows stronger during training.

    The strength rises linearly from ``start`` to ``end`` over the share ``until`` of the run, and
    then stays. This is an ablation of ours: in UniCon-HA the strength rises with depth, not with
    time.

    Args:
        augmentation: Augmentation of the views.
        start: [guess: 0] Strength at the start of the run.
        end: [guess: 1] Strength from ``until`` on.
        until: [guess: 0.5] Share of the run after which the strength is ``end``.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        start: Fraction = 0.0,
        end: Fraction = 1.0,
        until: Fraction = 0.5,
    ) -> None:
        self.augmentation = augmentation
        self.start = start
        self.end = end
        self.until = until

    def stages(self, levels: int, progress: float) -> list[Stage]:
        done = min(1.0, progress / self.until) if self.until else 1.0
        strength = self.start + done * (self.end - self.start)
        return [Stage(levels, partial(self.augmentation, strength=strength))]

    def levels(self, levels: int) -> list[tuple[int, ...]]:
        return [(levels,)]
