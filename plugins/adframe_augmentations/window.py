"""Random windows of images."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe import UserError
from adframe.interfaces import Augmentation, Count, RandomKeys
from adframe.ops import to_float


class RandomWindow(Augmentation):
    """A random square window of each image, at its own resolution; all windows are as likely.

    Args:
        size: [published: 32 by Wang et al. and Sohn et al. for MVTec AD] Side of the window in
            pixels.
    """

    resizes = True

    def __init__(self, size: Count = 32) -> None:
        self.size = size

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        return to_float(cut(images, keys, self.size))


def cut(images: Tensor, keys: RandomKeys, size: int) -> Tensor:
    """A random window of each image.

    Args:
        images: (N, 3, H, W).
        keys: N keys; each decides the place of one window.
        size: side of the windows.

    Returns:
        (N, 3, size, size), same dtype.

    Raises:
        UserError: the images are smaller.
    """
    height, width = images.shape[2:]
    if min(height, width) < size:
        text = f"windows of {size}x{size} pixels do not fit in images of {width}x{height}"
        raise UserError(text)
    drawn = keys.uniform(2)
    places = drawn * torch.tensor([height - size + 1, width - size + 1], device=drawn.device)
    top, left = places.long().unbind(1)
    side = torch.arange(size, device=images.device)
    rows, columns = (start[:, None] + side for start in (top, left))
    numbers = torch.arange(len(images), device=images.device)[:, None, None]
    found = images.movedim(1, -1)[numbers, rows[:, :, None], columns[:, None]]
    return found.movedim(-1, 1).contiguous()
