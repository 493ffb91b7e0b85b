"""Preprocessing of images, the same for all backbones."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Interval
from torch import Tensor
from torch.nn import functional as F

Side = Annotated[int, Interval(ge=4, le=4096)]


def preprocess(images: Tensor, size: Side | None) -> Tensor:
    """Resizes images to ``size`` and normalises them to -1..1.

    Args:
        images: (N, 3, H, W) floating point in 0..1.
        size: pixels per side; each is the mean of the pixels it covers. None keeps the size.
    """
    if size is not None and images.shape[-2:] != (size, size):
        images = F.interpolate(images, size=(size, size), mode="area")
    return images * 2 - 1
