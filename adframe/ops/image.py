"""Operations on batches of images, shape (N, C, H, W): uint8 in 0..255 or float in 0..1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.errors import UserError
from adframe.random import RandomKeys


def to_float(images: Tensor) -> Tensor:
    """Converts images to float values in 0..1.

    uint8 images become float32. Floating-point images are returned as they are.
    """
    return images if images.is_floating_point() else images.float().div_(255)


def restore_dtype(values: Tensor, images: Tensor) -> Tensor:
    """Converts float values in 0..1 to the dtype and the value range of ``images``."""
    if images.is_floating_point():
        return values.to(images.dtype).contiguous()
    return (values * 255).round().to(images.dtype)


def luma(images: Tensor) -> Tensor:
    """Brightness of float RGB images, shape (N, 1, H, W), with the weights of ITU-R 601.

    torchvision's ``rgb_to_grayscale`` uses the same weights.
    """
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:3]
    return (red * 0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114)


def gaussian_blur(
    images: Tensor, sigma: Tensor, radius: int, dims: Sequence[int] = (-1, -2)
) -> Tensor:
    """Blurs each image with its own Gaussian. Borders are reflected.

    Args:
        images: (N, C, H, W) floating point, N at least 1.
        sigma: (N,) standard deviation in pixels.
        radius: pixels of the kernel on each side of its centre, fewer than the image has.
        dims: axes to blur along: -1 is the width, -2 the height.
    """
    count, channels, height, width = images.shape
    offsets = torch.arange(-radius, radius + 1, device=images.device)
    kernel = (-(offsets**2) / (2 * sigma[:, None] ** 2)).exp()
    kernel = (kernel / kernel.sum(1, keepdim=True)).to(images.dtype)
    kernel = kernel.repeat_interleave(channels, dim=0)  # (N x C, taps)
    maps = images.reshape(1, count * channels, height, width)
    for dim in dims:
        shape = (1, -1) if dim == -1 else (-1, 1)
        pad = (radius, radius, 0, 0) if dim == -1 else (0, 0, radius, radius)
        weight = kernel.view(count * channels, 1, *shape)
        maps = F.conv2d(F.pad(maps, pad, mode="reflect"), weight, groups=count * channels)
    return maps.view_as(images)


def cut_window(images: Tensor, keys: RandomKeys, size: int) -> Tensor:
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
    numbers = torch.arange(images.shape[0], device=images.device)[:, None, None]
    found = images.movedim(1, -1)[numbers, rows[:, :, None], columns[:, None]]
    return found.movedim(-1, 1).contiguous()
