"""What methods share that train the last stage of a network without shifts."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe.interfaces import Backbone, MethodParts, RandomKeys, Schedule

USUAL = (32, 32)  # height and width that a method is built for if the images are not known


def check_last_stage(parts: MethodParts, method: str) -> None:
    """Check that the schedule trains the last stage, at all times, and no other.

    Raises:
        ValueError: it does not.
    """
    last = len(parts.backbone.widths)
    if parts.schedule.levels(last) != [(last,)]:
        raise ValueError(f"{method} needs a schedule that trains only the last stage")


def views_of(
    schedule: Schedule, backbone: Backbone, pixels: Tensor, keys: RandomKeys, progress: float
) -> Tensor:
    """Augmented views (N, 3, H, W), 0..1, of images, for a schedule that trains one stage."""
    (stage,) = schedule.stages(len(backbone.widths), progress)
    views: Tensor = stage.augmentation(pixels, keys)
    return views.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def last_map_size(backbone: Backbone, image_size: tuple[int, int] | None) -> int:
    """Number of values in the last feature map of an image."""
    was_training = backbone.training
    backbone.eval()
    last: Tensor = backbone(torch.zeros(1, 3, *(image_size or USUAL)))[-1]
    backbone.train(was_training)
    return last.numel()
