"""Shifts that change the values of pixels.

Wang et al. (ICCV 2023, Table 5) and CSI compare them without parameters; the defaults are ours.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Positive, RandomKeys, Shift
from adframe.ops import gaussian_blur, luma, restore_dtype, to_float


class GaussianBlur(Shift):
    """Gaussian blur (Wang et al., ICCV 2023, Table 5: Blur).

    Args:
        sigma: [guess: 1] Standard deviation in pixels for a side of 32 pixels; it grows with the
            side.
    """

    variants = 1

    def __init__(self, sigma: Annotated[float, Interval(gt=0, le=8)] = 1.0) -> None:
        self.sigma = sigma

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        if variant == 0:
            return images
        values = to_float(images)
        for dim in (-1, -2):
            sigma = self.sigma * values.shape[dim] / 32
            radius = min(max(1, round(3 * sigma)), values.shape[dim] - 1)
            values = gaussian_blur(
                values, values.new_full((values.shape[0],), sigma), radius, [dim]
            )
        return restore_dtype(values, images)


class GaussianNoise(Shift):
    """White Gaussian noise, added to the image (Wang et al., ICCV 2023, Table 5: Noise).

    The noise depends on the content of the image only. So the same image always gets the same
    noise, in training and in scoring.

    Args:
        std: [guess: 0.2] Standard deviation, for images in 0..1. The sum is clipped to 0..1.
    """

    variants = 1

    def __init__(self, std: Positive = 0.2) -> None:
        self.std = std

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        if variant == 0:
            return images
        noise = RandomKeys.from_images(0, images).normal(*images.shape[1:])
        values = to_float(images)
        return restore_dtype((values + self.std * noise.to(values.dtype)).clamp(0, 1), images)


class Sobel(Shift):
    """Sobel filter: edges of the image (Wang et al., ICCV 2023, Table 5: Sobel).

    Magnitude of the Sobel gradient of the brightness (ITU-R 601), in all three channels. An edge
    from black to white along one axis gives 1; larger values are clipped.
    """

    variants = 1

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        if variant == 0:
            return images
        values = to_float(images)
        gray = luma(values)
        smooth = torch.tensor([1.0, 2.0, 1.0], device=values.device, dtype=values.dtype) / 4
        slope = torch.tensor([-1.0, 0.0, 1.0], device=values.device, dtype=values.dtype)
        across = torch.outer(smooth, slope)
        kernels = torch.stack([across, across.T])[:, None]
        gradient = F.conv2d(F.pad(gray, (1, 1, 1, 1), mode="replicate"), kernels)
        edges = gradient.norm(dim=1, keepdim=True).clamp(max=1)
        return restore_dtype(edges.expand(-1, 3, -1, -1), images)
