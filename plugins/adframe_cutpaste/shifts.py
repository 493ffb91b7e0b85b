"""Shifts that cut a patch out of an image and paste it elsewhere in the same image."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from adframe.interfaces import Augmentation, Positive, RandomKeys, Shift
from adframe.ops import restore_dtype

Share = Annotated[float, Interval(gt=0, le=1)]
Range = tuple[Share, Share]


class _Paste(Shift):
    """Common part of both shifts: random boxes from the image's keys, then the pixels."""

    variants = 1
    key: int  #: differs between the two shifts, so that an image gets other keys in each

    def __init__(self, jitter: Augmentation | None) -> None:
        self.jitter = jitter

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        if variant == 0:
            return images
        keys = RandomKeys.from_images(self.key, images)
        height, width = images.shape[-2:]
        size, angle = self.patch(keys, height, width)
        # The box around the turned patch stays in the image; the cut box has whole pixels.
        cos, sin = angle.cos().abs(), angle.sin().abs()
        box = torch.stack([size[:, 0] * cos + size[:, 1] * sin,
                           size[:, 0] * sin + size[:, 1] * cos], dim=1)  # fmt: skip
        image = torch.tensor([width, height], device=images.device)
        room = (image - size).clamp(min=0)
        source = (keys.uniform(2) * room).floor() + size / 2
        corner = (keys.uniform(2) * (image - box).clamp(min=0)).floor()
        target = torch.where((angle == 0)[:, None], corner + size / 2, corner + box / 2)
        jittered = images
        if self.jitter is not None:
            jittered = restore_dtype(self.jitter(images, keys.fold_in(0)), images)
        return pasted(images, jittered, size, source, target, angle)

    @abstractmethod
    def patch(self, keys: RandomKeys, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Draws each patch: (N, 2) width and height in whole pixels, (N,) angle in radians."""


class CutPaste(_Paste):
    """Pastes a colour-jittered rectangle of the image elsewhere (Li et al., CVPR 2021).

    Source, target and size depend on the content of the image only, so the same image is always
    shifted in the same way. For training, let the method's ``pre_shift`` change the image first, as
    the authors' colour jitter does. Otherwise an image has the same anomaly in every epoch.

    Args:
        area: [published: 0.02, 0.15] Smallest and largest area, as a share of the image.
        ratio: [published: 0.3, 3.3] Smallest and largest width over height, drawn log-uniformly as
            in pytorch-cutpaste.
        jitter: Augmentation of the colours of the patch; none by default. It is applied to the
            whole image, and the patch is cut from the result.

    Raises:
        ValueError: the first value of a range is above the second.
    """

    key = 1

    def __init__(
        self,
        area: Range = (0.02, 0.15),
        ratio: tuple[Positive, Positive] = (0.3, 1 / 0.3),
        jitter: Augmentation | None = None,
    ) -> None:
        super().__init__(jitter)
        self.area = rising("area", area)
        self.ratio = rising("ratio", ratio)

    def patch(self, keys: RandomKeys, height: int, width: int) -> tuple[Tensor, Tensor]:
        area = _between(self.area, keys) * (height * width)
        low, high = (math.log(value) for value in self.ratio)
        ratio = _between((low, high), keys).exp()
        wide = (area * ratio).sqrt().round().clamp(1, width)
        tall = (area / ratio).sqrt().round().clamp(1, height)
        return torch.stack([wide, tall], dim=1), torch.zeros_like(wide)


class CutPasteScar(_Paste):
    """Pastes a thin, jittered and rotated strip elsewhere (Li et al., CVPR 2021).

    In all other respects the same as ``cutpaste``.

    Args:
        width: [published: 2, 16 of 256 pixels] Smallest and largest width, as a share of the
            image's width; at least one pixel.
        height: [published: 10, 25 of 256 pixels] The same for the height.
        degrees: [published: 45] Largest angle, in both directions.
        jitter: As for ``cutpaste``.
    """

    key = 2

    def __init__(
        self,
        width: Range = (2 / 256, 16 / 256),
        height: Range = (10 / 256, 25 / 256),
        degrees: Annotated[float, Interval(ge=0, le=180)] = 45.0,
        jitter: Augmentation | None = None,
    ) -> None:
        super().__init__(jitter)
        self.width = rising("width", width)
        self.height = rising("height", height)
        self.degrees = degrees

    def patch(self, keys: RandomKeys, height: int, width: int) -> tuple[Tensor, Tensor]:
        wide = (_between(self.width, keys) * width).round().clamp(min=1)
        tall = (_between(self.height, keys) * height).round().clamp(min=1)
        angle = _between((-self.degrees, self.degrees), keys) * (math.pi / 180)
        return torch.stack([wide, tall], dim=1), angle


def rising(name: str, bounds: tuple[float, float]) -> tuple[float, float]:
    """Returns the bounds; raises ValueError if the first is above the second."""
    if bounds[0] > bounds[1]:
        raise ValueError(f"{name} must rise: its first value {bounds[0]} is above {bounds[1]}")
    return bounds


def _between(bounds: tuple[float, float], keys: RandomKeys) -> Tensor:
    """Uniform random numbers between two bounds, shape (N,)."""
    return bounds[0] + keys.uniform() * (bounds[1] - bounds[0])


def pasted(
    images: Tensor, patches: Tensor, size: Tensor, source: Tensor, target: Tensor, angle: Tensor
) -> Tensor:
    """Pastes a rotated rectangle of ``patches`` into each image (nearest pixel, no blending).

    Args:
        images: (N, C, H, W).
        patches: same shape as ``images``; the rectangles are cut out of them.
        size: (N, 2) width and height of the rectangles.
        source: (N, 2) x and y of their centres; the centre of the first pixel is at one half.
        target: (N, 2) the new centres.
        angle: (N,) rotation in radians, counter-clockwise.
    """
    height, width = images.shape[-2:]
    x = torch.arange(width, device=images.device) + 0.5 - target[:, 0, None]  # (N, W)
    y = torch.arange(height, device=images.device) + 0.5 - target[:, 1, None]  # (N, H)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    # Pixel positions along the axes of the rectangle; y runs down.
    u = x[:, None] * cos - y[:, :, None] * sin  # (N, H, W)
    v = x[:, None] * sin + y[:, :, None] * cos
    half = size[:, :, None, None] / 2
    inside = (u >= -half[:, 0]) & (u < half[:, 0]) & (v >= -half[:, 1]) & (v < half[:, 1])
    column = (u + source[:, 0, None, None]).floor().long().clamp(0, width - 1)
    row = (v + source[:, 1, None, None]).floor().long().clamp(0, height - 1)
    index = (row * width + column).flatten(1)[:, None].expand(-1, images.shape[1], -1)
    moved = patches.flatten(2).gather(2, index).view_as(images)
    return torch.where(inside[:, None], moved, images)
