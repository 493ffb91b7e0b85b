"""What every backbone does to images before its first convolution."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Interval
from torch import Tensor
from torch.nn import functional as F

Side = Annotated[int, Interval(ge=4, le=4096)]


def entered(images: Tensor, size: Side | None) -> Tensor:
    """Images as the first convolution gets them: brought to ``size``, and to -1..1.

    Args:
        images: (N, 3, H, W) floating point in 0..1.
        size: pixels a side, each the mean of what it covers; None leaves images as they are.
    """
    if size is not None and images.shape[-2:] != (size, size):
        images = F.interpolate(images, size=(size, size), mode="area")
    return images * 2 - 1
