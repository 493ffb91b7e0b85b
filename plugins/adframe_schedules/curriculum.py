"""Augmentation that grows stronger during training."""

from __future__ import annotations

from functools import partial

from adframe.interfaces import Augmentation, Fraction, Schedule, Stage


class Curriculum(Schedule):
    """One strength of augmentation for the last stage, growing as training goes on.

    In a straight line from ``start`` to ``end`` over the first ``until`` of the run, ``end`` from
    there on. An ablation of ours: the paper's strengths rise with depth, not with time.

    Args:
        augmentation: What makes the views.
        start: [guess: 0] Strength at the start of the run.
        end: [guess: 1] Strength reached.
        until: [guess: 0.5] When it is reached, as a share of the run.
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
