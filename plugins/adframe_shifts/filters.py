"""Shifts that change what pixels hold.

The paper compares them (Table 5) and, as CSI before it, gives no parameters: those here are ours.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Positive, RandomKeys, Shift


class GaussianBlur(Shift):
    """Blurring with a Gaussian (Table 5 of Wang et al., ICCV 2023: Blur).

    Args:
        sigma: [guess: 1] Standard deviation in pixels of an image 32 pixels wide; it grows with
            the image.
    """

    variants = 1

    def __init__(self, sigma: Annotated[float, Interval(gt=0, le=8)] = 1.0) -> None:
        self.sigma = sigma

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        if variant == 0:
            return images
        values = as_float(images)
        for dim in (-1, -2):
            values = self._along(values, dim)
        return as_before(values, images)

    def _along(self, values: Tensor, dim: int) -> Tensor:
        sigma = self.sigma * values.shape[dim] / 32
        radius = min(max(1, round(3 * sigma)), values.shape[dim] - 1)
        offsets = torch.arange(-radius, radius + 1, device=values.device, dtype=values.dtype)
        weights = (-0.5 * (offsets / sigma) ** 2).exp()
        shape = (1, 1, 1, -1) if dim == -1 else (1, 1, -1, 1)
        kernel = (weights / weights.sum()).view(shape).expand(3, *[-1] * 3)
        pad = (radius, radius, 0, 0) if dim == -1 else (0, 0, radius, radius)
        return F.conv2d(F.pad(values, pad, mode="reflect"), kernel, groups=3)


class GaussianNoise(Shift):
    """White noise upon the image (Table 5 of Wang et al., ICCV 2023: Noise).

    The noise of an image depends on what it shows and on nothing else, so that an image is always
    shifted alike, in training and in scoring.

    Args:
        std: [guess: 0.2] Standard deviation; images are 0..1, and the sum is cut to that.
    """

    variants = 1

    def __init__(self, std: Positive = 0.2) -> None:
        self.std = std

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        if variant == 0:
            return images
        noise = RandomKeys.from_images(0, images).normal(*images.shape[1:])
        values = as_float(images)
        return as_before((values + self.std * noise.to(values.dtype)).clamp(0, 1), images)


class Sobel(Shift):
    """Edges in place of the image (Table 5 of Wang et al., ICCV 2023: Sobel).

    Magnitude of the Sobel gradient of the image's brightness (ITU-R 601), in all three channels;
    an edge from black to white along an axis gives 1, and what is above that is cut.
    """

    variants = 1

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        if variant == 0:
            return images
        values = as_float(images)
        luma = torch.tensor([0.2989, 0.587, 0.114], device=values.device, dtype=values.dtype)
        gray = torch.einsum("nchw,c->nhw", values, luma)[:, None]
        smooth = torch.tensor([1.0, 2.0, 1.0], device=values.device, dtype=values.dtype) / 4
        slope = torch.tensor([-1.0, 0.0, 1.0], device=values.device, dtype=values.dtype)
        across = torch.outer(smooth, slope)
        kernels = torch.stack([across, across.T])[:, None]
        gradient = F.conv2d(F.pad(gray, (1, 1, 1, 1), mode="replicate"), kernels)
        edges = gradient.norm(dim=1, keepdim=True).clamp(max=1)
        return as_before(edges.expand(-1, 3, -1, -1), images)


def as_float(images: Tensor) -> Tensor:
    """Images as floating point in 0..1."""
    return images if images.is_floating_point() else images.float() / 255


def as_before(values: Tensor, images: Tensor) -> Tensor:
    """Values in 0..1 in the dtype and range of ``images``."""
    if images.is_floating_point():
        return values.contiguous()
    return (values * 255).round().to(images.dtype)
