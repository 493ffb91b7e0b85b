"""Views with fewer pixels."""

from __future__ import annotations

from functools import partial

from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Count, RandomKeys, Schedule, Stage, Transform


class Downsized(Schedule):
    """Another schedule with smaller views. Half the side takes a quarter of the time.

    Each pixel is the mean of the pixels it covers. Test images keep their size, so a run should end
    with the full size: see ``phases``.

    Args:
        of: The schedule whose views become smaller.
        size: Pixels per side. Smaller images stay as they are.
    """

    def __init__(self, of: Schedule, size: Count) -> None:
        self.of = of
        self.size = size

    def stages(self, levels: int, progress: float) -> list[Stage]:
        return [
            Stage(stage.level, partial(_downsized, stage.augmentation, self.size))
            for stage in self.of.stages(levels, progress)
        ]

    def levels(self, levels: int) -> list[tuple[int, ...]]:
        return self.of.levels(levels)


def _downsized(augmentation: Transform, size: int, images: Tensor, keys: RandomKeys) -> Tensor:
    views = augmentation(images, keys)
    sides = [min(size, side) for side in views.shape[-2:]]
    return F.interpolate(views, size=sides, mode="area")
