"""The contrastive augmentation pipeline: crop, flip, colour jitter, grayscale, on whole batches."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Augmentation, Draws, Fraction, Positive

Share = Annotated[float, Interval(gt=0, le=1)]
Turns = Annotated[float, Interval(ge=0, le=0.5)]


class SimCLR(Augmentation):
    """Random resized crop, horizontal flip, colour jitter and grayscale (Chen et al., ICML 2020).

    Strength s draws the crop's smallest area, its ratio's range, the jitter's factors and the
    chance of grayscale in a line from none (s = 0: a flip only) to the values below (s = 1). That
    line is our guess: the paper's T_1..T_4 (section 4.1) are in a supplement not to be had.

    Unlike torchvision's transform, jitter is always in the order brightness, contrast,
    saturation, hue, so that an image's result does not depend on its batch.

    Args:
        scale: [inferred: CSI's code] Smallest and largest area of the crop, as a share of the
            image.
        ratio: [inferred: CSI's code] Smallest and largest width over height of the crop,
            log-uniform.
        jitter: [inferred: CSI's code] Brightness, contrast, saturation (factors 1 - x to 1 + x)
            and hue (turns, -x to x).
        jitter_probability: [inferred: CSI's code] Share of the images that are jittered.
        grayscale_probability: [inferred: CSI's code] Share of the images that lose colour.
        flip_probability: [inferred: CSI's code] Share of the images that are mirrored.
    """

    def __init__(
        self,
        scale: tuple[Share, Share] = (0.08, 1.0),
        ratio: tuple[Positive, Positive] = (3 / 4, 4 / 3),
        jitter: tuple[Fraction, Fraction, Fraction, Turns] = (0.4, 0.4, 0.4, 0.1),
        jitter_probability: Fraction = 0.8,
        grayscale_probability: Fraction = 0.2,
        flip_probability: Fraction = 0.5,
    ) -> None:
        self.scale = scale
        self.ratio = ratio
        self.jitter = jitter
        self.jitter_probability = jitter_probability
        self.grayscale_probability = grayscale_probability
        self.flip_probability = flip_probability
        for name, (low, high) in {"scale": scale, "ratio": ratio}.items():
            if low > high:
                raise ValueError(f"{name} must rise: its first value {low} is above {high}")

    def __call__(self, images: Tensor, draws: Draws, strength: float = 1.0) -> Tensor:
        if not images.is_floating_point():
            images = images.float().div_(255)
        low, high = self.scale
        # At strength 0 the crop is the largest allowed, not the whole image: a fixed scale
        # (as at test time) stays fixed at every strength.
        area = high - draws.uniform() * strength * (high - low)
        logs = [math.log(value) * strength for value in self.ratio]
        ratio = (logs[0] + draws.uniform() * (logs[1] - logs[0])).exp()
        width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
        left, top = draws.uniform() * (1 - width), draws.uniform() * (1 - height)
        flip = draws.uniform() < self.flip_probability
        images = crop(images, left, top, width, height, flip)

        spread = torch.tensor(self.jitter, device=images.device) * strength
        factors = (2 * draws.uniform(4) - 1) * spread
        factors = factors * (draws.uniform() < self.jitter_probability)[:, None]
        if self.jitter_probability and any(self.jitter) and strength:
            images = jitter_colour(images, factors)
        gray = draws.uniform() < self.grayscale_probability * strength
        if self.grayscale_probability and strength:
            images = torch.where(gray[:, None, None, None], luma(images), images)
        return images


def crop(
    images: Tensor, left: Tensor, top: Tensor, width: Tensor, height: Tensor, flip: Tensor
) -> Tensor:
    """Cut a box out of each image and resize it to the image's size, bilinearly; mirror some.

    A box of whole pixels gives what torchvision's ``resized_crop(antialias=False)`` gives: samples
    stay within the box's pixel centres and never reach what was cut off.

    Args:
        images: (N, 3, H, W) floating point.
        left, top, width, height: (N,) the boxes, as shares of the image.
        flip: (N,) bool.
    """
    x = _samples(left, width, images.shape[-1])
    x = torch.where(flip[:, None], x.flip(1), x)
    y = _samples(top, height, images.shape[-2])
    size = x.shape[1], y.shape[1]
    grid = torch.stack(
        [x[:, None, :].expand(-1, size[1], -1), y[:, :, None].expand(-1, -1, size[0])], dim=-1
    )
    return F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)


def _samples(start: Tensor, length: Tensor, size: int) -> Tensor:
    """(N, size) sampling positions along one axis, in grid_sample's -1..1."""
    centres = (torch.arange(size, device=start.device) + 0.5) / size
    half = 0.5 / size
    positions = start[:, None] + centres * length[:, None]
    inside = positions.maximum(start[:, None] + half).minimum((start + length)[:, None] - half)
    return inside * 2 - 1


def luma(images: Tensor) -> Tensor:
    """(N, 1, H, W) brightness as ITU-R 601 weighs the colours, as torchvision does."""
    red, green, blue = images.split(1, dim=1)
    return 0.2989 * red + 0.587 * green + 0.114 * blue


def jitter_colour(images: Tensor, factors: Tensor) -> Tensor:
    """Change brightness, contrast, saturation and hue of each image, in this order.

    Args:
        images: (N, 3, H, W) floating point in 0..1.
        factors: (N, 4); the first three are added to a factor of 1, hue is in turns. An image
            whose four are zero comes back as it was, to rounding.
    """
    brightness, contrast, saturation, hue = (
        column[:, None, None, None] for column in factors.to(images.dtype).unbind(1)
    )
    images = (images * (1 + brightness)).clamp(0, 1)
    mean = luma(images).mean(dim=(2, 3), keepdim=True)
    images = torch.lerp(mean, images, 1 + contrast).clamp(0, 1)
    images = torch.lerp(luma(images), images, 1 + saturation).clamp(0, 1)
    return turn_hue(images, hue)


def turn_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Rotate hue in HSV space by ``turns`` (N, 1, 1, 1); value and saturation stay."""
    red, green, blue = images.unbind(1)
    value, low = images.amax(1), images.amin(1)
    chroma = value - low
    safe = torch.where(chroma > 0, chroma, 1)  # of a gray pixel the sector does not matter
    sector = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    sector = sector + turns[:, 0] * 6
    offsets = torch.tensor([5.0, 3.0, 1.0], device=images.device, dtype=images.dtype)
    phase = (offsets.view(1, 3, 1, 1) + sector[:, None]) % 6
    weight = torch.minimum(phase, 4 - phase).clamp(0, 1)
    return value[:, None] - chroma[:, None] * weight
