"""Schedules that say nothing of depth: one set of views, smaller images, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Augmentation, Count, Fraction, RandomKeys, Schedule, Stage, Transform


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


class Downsized(Schedule):
    """Another schedule's views, brought to fewer pixels: half the side costs a quarter.

    Each pixel is the mean of what it covers. What is tested keeps its size, so a run should end on
    that: see ``phases``.

    Args:
        of: The schedule whose views are made smaller.
        size: Pixels a side; images of that size or less stay as they are.
    """

    def __init__(self, of: Schedule, size: Count) -> None:
        self.of = of
        self.size = size

    def stages(self, levels: int, progress: float) -> list[Stage]:
        return [
            Stage(stage.level, partial(_downsized, stage.augmentation, self.size))
            for stage in self.of.stages(levels, progress)
        ]


def _downsized(augmentation: Transform, size: int, images: Tensor, keys: RandomKeys) -> Tensor:
    views = augmentation(images, keys)
    sides = [min(size, side) for side in views.shape[-2:]]
    return F.interpolate(views, size=sides, mode="area")


class Phases(Schedule):
    """Several schedules, one after another; each sees a progress of its own, from 0 to 1.

    Args:
        of: The schedules, in their order.
        until: Where each but the last ends, as a share of the run; rising.
    """

    def __init__(self, of: Sequence[Schedule], until: Sequence[Fraction]) -> None:
        if len(of) != len(until) + 1:
            raise ValueError(f"{len(of)} phases end at {len(of) - 1} shares, not {len(until)}")
        self.of = of
        self.bounds = [0.0, *until, 1.0]
        if any(start >= end for start, end in pairwise(self.bounds)):
            raise ValueError(f"until must rise, between 0 and 1: not {list(until)}")

    def stages(self, levels: int, progress: float) -> list[Stage]:
        index = sum(progress >= bound for bound in self.bounds[1:-1])
        start, end = self.bounds[index : index + 2]
        return self.of[index].stages(levels, (progress - start) / (end - start))
