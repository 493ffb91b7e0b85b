"""Losses and first latent vectors of ``nda_inspired``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.ops import at_least_float32, to_float

SIDE = 16  # pixels per side of the images whose principal components are computed


def pair_contrast(images: Tensor, decoded: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """InfoNCE: an image and its decoding against all other decodings and all negatives.

    Args:
        images, decoded: (N, D) embeddings, row by row of the same image.
        negatives: (M, D) embeddings of negative views, of any images.
        temperature: divides the cosine.
    """
    with torch.autocast(images.device.type, enabled=False):
        anchor = F.normalize(at_least_float32(images))
        others = F.normalize(at_least_float32(torch.cat([decoded, negatives])))
        target = torch.arange(len(anchor), device=anchor.device)
        return F.cross_entropy(anchor @ others.T / temperature, target)


def principal_components(
    batches: Callable[[], Iterable[Tensor]], count: int
) -> tuple[Tensor, Tensor]:
    """The mean and the first ``count`` principal axes of images, on 16x16 pixels.

    Args:
        batches: gives all images again at each call, (N, 3, H, W) uint8 each.
        count: number of axes; zeros fill up those that there are not.

    Returns:
        mean (768,), and axes (768, count), each divided by its standard deviation; float64.
    """
    number, total, square = 0, None, None
    for pixels in batches():
        small = shrunk(pixels)
        number += len(small)
        total = small.sum(0) + (0 if total is None else total)
        square = small.T @ small + (0 if square is None else square)
    assert total is not None
    assert square is not None
    mean = total / number
    variance, axes = torch.linalg.eigh(square / number - mean.outer(mean))
    variance, axes = variance.flip(0)[:count], axes.flip(1)[:, :count]
    meant = variance > 1e-9  # below is rounding
    axes = torch.where(meant, axes / variance.clamp(min=1e-9).sqrt(), 0)
    return mean, F.pad(axes, (0, count - axes.shape[1]))


def shrunk(pixels: Tensor) -> Tensor:
    """Images (N, 3, H, W) as (N, 768) float64 vectors of 16x16 pixels."""
    small = F.interpolate(to_float(pixels), size=(SIDE, SIDE), mode="area")
    return small.flatten(1).double()
