"""The augmentation of CSI's public code."""

from __future__ import annotations

import math
from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import RandomKeys
from adframe.ops import luma, to_float
from adframe_augmentations.simclr import CropJitterOptions, SimCLR, blocks

HUE = 255 / 360  # CSI's code multiplies the hue by it


class CSIAugmentation(SimCLR):
    """Colour jitter in HSV, grayscale, then a random resized crop (Tack et al., NeurIPS 2020).

    This is SimCLR's augmentation as CSI's public code has it. Value and saturation are scaled,
    contrast is that of each channel about its own mean, and hue turns by 0.71 of its option.
    Contrast comes before or after the others, at random for each image. Positions of the crop that
    lie beyond the edge of the image are reflected. There is no flip: use ``flip`` before the shift.
    Strength has the same effect as for ``simclr``.

    Args:
        scale: [inferred: CSI's code] Smallest and largest area of the crop, as a share of the
            image.
        ratio: [inferred: CSI's code] Smallest and largest width over height of the crop.
        jitter: [inferred: CSI's code] Value, contrast, saturation (factors 1 - x to 1 + x) and hue
            (turns, -x to x, before the factor of 0.71).
        jitter_probability: [inferred: CSI's code] Share of the images that are jittered.
        grayscale_probability: [inferred: CSI's code] Share of the images that lose colour.

    Raises:
        ValueError: the first value of a range is above the second.
    """

    def __init__(self, **options: Unpack[CropJitterOptions]) -> None:
        super().__init__(**options, flip_probability=0.0)

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        _, _, width, height = self._boxes(images, keys, strength)
        # A crop starts at whole and at half pixels.
        sides = torch.stack([width, height], dim=1)
        pixels = torch.tensor(images.shape[:-3:-1], device=images.device)
        room = ((1 - sides) * pixels).round()
        start = (keys.uniform(2) * (2 * room + 1)).floor() / 2 / pixels

        spread = torch.tensor(self.jitter, device=images.device) * strength
        factors = (2 * keys.uniform(4) - 1) * spread
        contrast_first = keys.uniform() < 0.5
        jittered = keys.uniform() < self.jitter_probability
        gray = keys.uniform() < self.grayscale_probability * strength

        def augment(rows: slice) -> Tensor:
            views = to_float(images[rows])
            changed = jitter_hsv(views, factors[rows], contrast_first[rows])
            views = torch.where(jittered[rows, None, None, None], changed, views)
            views = torch.where(gray[rows, None, None, None], luma(views), views)
            return crop_reflected(views, start[rows], sides[rows])

        return torch.cat([augment(rows) for rows in blocks(images)])


def jitter_hsv(images: Tensor, factors: Tensor, contrast_first: Tensor) -> Tensor:
    """Changes value, contrast, saturation and hue of each image.

    Args:
        images: (N, 3, H, W) floating point in 0..1.
        factors: (N, 4). The first three are added to a factor of 1; hue is in turns.
        contrast_first: (N,) bool, whether contrast comes before the others, or after them.
    """
    value, contrast, saturation, hue = (
        column[:, None, None, None] for column in factors.to(images.dtype).unbind(1)
    )
    first = contrast_first[:, None, None, None]
    images = torch.where(first, _contrast(images, contrast), images)
    images = _hsv(images, 1 + value, 1 + saturation, hue * HUE)
    return torch.where(first, images, _contrast(images, contrast))


def _contrast(images: Tensor, change: Tensor) -> Tensor:
    mean = images.mean(dim=(2, 3), keepdim=True)
    return ((images - mean) * (1 + change) + mean).clamp(0, 1)


def _hsv(images: Tensor, value: Tensor, saturation: Tensor, turns: Tensor) -> Tensor:
    """Scales value and saturation, at most to 1, and turns the hue."""
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    high = images.amax(1, keepdim=True)
    tiny = torch.finfo(images.dtype).tiny
    share = (high - images.amin(1, keepdim=True)) / high.clamp(min=tiny)
    chroma = (high * value).clamp(0, 1) * (share * saturation).clamp(0, 1)
    # The hue is the angle around the grey axis, which CSI's code takes for that of the hexagon.
    hue = torch.atan2(math.sqrt(3) * (green - blue), 2 * red - green - blue) / (2 * math.pi)
    sixths = images.new_tensor([5, 3, 1]).view(3, 1, 1) + (hue + turns) * 6
    sixths = sixths - 6 * (sixths / 6).floor()
    return (high * value).clamp(0, 1) - chroma * torch.minimum(sixths, 4 - sixths).clamp(0, 1)


def crop_reflected(images: Tensor, start: Tensor, sides: Tensor) -> Tensor:
    """Crops a box out of each image and resizes it to the image's size (bilinear).

    Samples near the edge of the box take in pixels outside of it; beyond the image, reflected ones.

    Args:
        images: (N, 3, H, W) floating point.
        start, sides: (N, 2) left and top, width and height, as shares of the image, 0..1.
    """
    theta = images.new_zeros(images.shape[0], 2, 3)
    theta[:, :, :2] = torch.diag_embed(sides.to(images.dtype))
    theta[:, :, 2] = (2 * start + sides - 1).to(images.dtype)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
