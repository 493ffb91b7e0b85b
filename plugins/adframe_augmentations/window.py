"""Random windows of images."""

from __future__ import annotations

from torch import Tensor

from adframe.interfaces import Augmentation, Count, RandomKeys
from adframe.ops import cut_window, to_float


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
        return to_float(cut_window(images, keys, self.size))
