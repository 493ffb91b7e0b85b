"""Extracts features of images, under the views that scorers request."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import torch
from torch import Tensor

from adframe.data.lazy import iter_batches, to_device
from adframe.engine import returned
from adframe.engine.returned import expect
from adframe.interfaces import Method, Pixels, Shift, ViewSpec, count_variants, every_variant
from adframe.ops.image import to_float
from adframe.random import RandomKeys, seed_of

MAX_ROWS_PER_PASS = 512  # rows in one forward pass at test time: images x views x shifts
MIN_BATCH = 4  # images; CPU libraries compute smaller batches in another way, with other rounding


@torch.no_grad()
def extract_features(
    method: Method, shifts: Sequence[Shift], pixels: Pixels, spec: ViewSpec, seed: int
) -> Iterator[dict[str, Tensor]]:
    """Features of the views that a scorer requests, a few images at a time.

    Args:
        method: the trained method.
        shifts: the shifting transformations of the run.
        pixels: (N, 3, H, W) uint8; memory does not grow with N.
        spec: the views and outputs that the scorer requests.
        seed: the seed of the run; random views depend on it and on the content of the image.

    Yields:
        Output name -> (n, views, shifts + 1 or 1, D) float32 on the CPU, in the order of
        ``pixels``.
    """
    tensor = next(chain(method.parameters(), method.buffers()), None)
    device = torch.device("cpu") if tensor is None else tensor.device
    variants = count_variants(shifts) if spec.apply_shifts else 1
    chunk = max(2 * MIN_BATCH, MAX_ROWS_PER_PASS // (spec.views * variants))
    was_training = method.training
    method.eval()
    try:
        order = torch.arange(len(pixels)).tensor_split(max(1, math.ceil(len(pixels) / chunk)))
        for part in iter_batches(pixels, order):
            block = to_device(device, part)
            drawn = spec.transform is not None or spec.pre_shift is not None
            keys = RandomKeys.from_images(seed_of(seed, "views"), block) if drawn else None
            outputs = [
                method.embed(images)
                for view in range(spec.views)
                for images in _views(block, spec, shifts, keys and keys.fold_in(view))
            ]
            for output in outputs:
                expect(method, returned.embedding(output, spec.outputs, len(block)))
            yield {
                name: torch.stack([output[name].float() for output in outputs], dim=1)
                .view(len(block), spec.views, variants, -1)
                .cpu()
                for name in spec.outputs
            }
    finally:
        method.train(was_training)


def _views(
    images: Tensor, spec: ViewSpec, shifts: Sequence[Shift], keys: RandomKeys | None
) -> Iterator[Tensor]:
    """Yields views: the unshifted images, then each shift of them if the spec requests shifts.

    ``keys`` may be None if the spec has no random transform.
    """
    shifts = shifts if spec.apply_shifts else []
    if keys is None:
        views: Iterable[Tensor] = every_variant(images, shifts)
    else:
        views = _drawn(images, spec, shifts, keys)
    for view in views:
        yield to_float(view).contiguous(memory_format=torch.channels_last)


def _drawn(
    images: Tensor, spec: ViewSpec, shifts: Sequence[Shift], keys: RandomKeys
) -> Iterator[Tensor]:
    """Yields views with random transforms: those before the shift, the shift, those after it."""
    own = [keys.fold_in(variant) for variant in range(1, count_variants(shifts))]
    each = [keys, *(own if spec.independent else [keys] * len(own))]
    before: Tensor | list[Tensor] = images
    if spec.pre_shift is not None and spec.independent:
        before = [spec.pre_shift(images, variant.fold_in(0)) for variant in each]
    elif spec.pre_shift is not None:
        before = spec.pre_shift(images, keys.fold_in(0))
    for shifted, variant in zip(every_variant(before, shifts), each, strict=True):
        if spec.transform is not None:
            yield spec.transform(shifted, RandomKeys(variant.values))
        else:
            yield shifted
