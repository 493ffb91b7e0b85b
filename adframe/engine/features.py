"""Features of images, as scorers want to see them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from adframe.data.lazy import feed, onto
from adframe.interfaces import Look, Method, Pixels, Shift, count_variants, every_variant
from adframe.random import Draws, seed_of

ROWS = 512  # images in one pass through the network at test time, views and shifts counted
FEW = 4  # images fewer than which are computed otherwise, with other rounding, by CPU libraries


@torch.no_grad()
def look_at(
    method: Method, shifts: Sequence[Shift], pixels: Pixels, look: Look, seed: int
) -> Iterator[dict[str, Tensor]]:
    """Features of images as a scorer wants to see them, a few images at a time.

    Yields:
        output name -> (n, views, shifts + 1 or 1, D) float32 on the CPU, in the order of
        ``pixels`` (N, 3, H, W) uint8; memory does not grow with N.
    """
    device = next(method.parameters()).device
    variants = count_variants(shifts) if look.shifted else 1
    chunk = max(2 * FEW, ROWS // (look.views * variants))
    was_training = method.training
    method.eval()
    try:
        order = torch.arange(len(pixels)).tensor_split(max(1, math.ceil(len(pixels) / chunk)))
        for part in feed(pixels, order):
            block = onto(device, part)
            drawn = look.transform is not None or look.before is not None
            draws = Draws.by_content(seed_of(seed, "views"), block) if drawn else None
            outputs = [
                method.embed(images)
                for view in range(look.views)
                for images in _views(block, look, shifts, draws and draws.fork(view))
            ]
            yield {
                name: torch.stack([output[name].float() for output in outputs], dim=1)
                .view(len(block), look.views, variants, -1)
                .cpu()
                for name in look.outputs
            }
    finally:
        method.train(was_training)


def _views(
    images: Tensor, look: Look, shifts: Sequence[Shift], draws: Draws | None
) -> Iterator[Tensor]:
    """One view of each image, plain and then under each variant of each shift if asked.

    Draws are needed where the look has something random.
    """
    if look.before is not None and draws is not None:
        images = look.before(images, draws.fork(0))
    for shifted in every_variant(images, shifts) if look.shifted else [images]:
        if look.transform is not None and draws is not None:
            view = look.transform(shifted, Draws(draws.keys))
        else:
            view = shifted if shifted.is_floating_point() else shifted.float() / 255
        yield view.contiguous(memory_format=torch.channels_last)
