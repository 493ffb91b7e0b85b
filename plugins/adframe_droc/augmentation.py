"""The augmentation of DROC: square crops, strong jitter, and the blur it lists."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Augmentation, Fraction, RandomKeys
from adframe_augmentations.simclr import crop, jitter_colour, luma

Share = Annotated[float, Interval(gt=0, le=1)]
Turns = Annotated[float, Interval(ge=0, le=0.5)]


class DROC(Augmentation):
    """Square crop, flip, colour jitter, grayscale and blur (Sohn et al., ICLR 2021).

    The crop's side is uniform. Jitter is for every image, in the order brightness, contrast,
    saturation, hue, where the public code draws one order when it starts; brightness is added, not
    multiplied. Blur is a Gaussian over a tenth of the image with a standard deviation of 0.1 to 2
    pixels. Strength s scales the smallest side, the jitter's ranges and the chances of grayscale
    and of blur in a line from none to the values below.

    Args:
        smallest: [inferred: DROC's code, 0.5] Smallest side of the crop, as a share of the image.
        jitter: [inferred: DROC's code] Brightness (-x to x), contrast, saturation (factors 1 - x to
            1 + x) and hue (turns, -x to x).
        grayscale_probability: [inferred: DROC's code, 0.2] Share of the images that lose colour.
        blur_probability: [inferred: DROC's code, 0.5] Share of the images that are blurred.
        flip_probability: [inferred: DROC's code, 0.5] Share of the images that are mirrored.
        official_code: [inferred: DROC's code, true] Never blur: the public code lists a blur that
            returns training images as they are.
    """

    def __init__(
        self,
        smallest: Share = 0.5,
        jitter: tuple[Fraction, Fraction, Fraction, Turns] = (0.4, 0.4, 0.4, 0.4),
        grayscale_probability: Fraction = 0.2,
        blur_probability: Fraction = 0.5,
        flip_probability: Fraction = 0.5,
        official_code: bool = False,
    ) -> None:
        self.smallest = smallest
        self.jitter = jitter
        self.grayscale_probability = grayscale_probability
        self.blur_probability = 0.0 if official_code else blur_probability
        self.flip_probability = flip_probability

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        if not images.is_floating_point():
            images = images.float().div_(255)
        side = 1 - keys.uniform() * strength * (1 - self.smallest)
        left, top = keys.uniform() * (1 - side), keys.uniform() * (1 - side)
        flip = keys.uniform() < self.flip_probability
        images = crop(images, left, top, side, side, flip)

        spread = torch.tensor(self.jitter, device=images.device) * strength
        change = (2 * keys.uniform(4) - 1) * spread
        brighter = change[:, 0, None, None, None].to(images.dtype)
        images = (images + brighter).clamp(0, 1)
        images = jitter_colour(images, change.index_fill(1, change.new_zeros(1).long(), 0))
        gray = keys.uniform() < self.grayscale_probability * strength
        images = torch.where(gray[:, None, None, None], luma(images), images)
        blurred = keys.uniform() < self.blur_probability * strength
        sigma = 0.1 + 1.9 * keys.uniform()
        if self.blur_probability and strength:
            images = torch.where(blurred[:, None, None, None], blur(images, sigma), images)
        return images


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Each image under a Gaussian of its own (N,) standard deviation, reflected at the border.

    The kernel reaches a twentieth of the image's height to either side, one pixel at least.
    """
    count, channels, height, width = images.shape
    reach = max(1, height // 20)
    offsets = torch.arange(-reach, reach + 1, device=images.device)
    kernel = (-(offsets**2) / (2 * sigma[:, None] ** 2)).exp()
    kernel = (kernel / kernel.sum(1, keepdim=True)).to(images.dtype)
    kernel = kernel.repeat_interleave(channels, dim=0)  # (N x C, taps)
    rows = images.reshape(1, count * channels, height, width)
    for shape, pad in (((1, -1), (reach, reach, 0, 0)), ((-1, 1), (0, 0, reach, reach))):
        weight = kernel.view(count * channels, 1, *shape)
        rows = F.conv2d(F.pad(rows, pad, mode="reflect"), weight, groups=count * channels)
    return rows.view_as(images)
