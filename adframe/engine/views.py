"""The views of images that scorers request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from adframe.interfaces import Shift, ViewSpec, count_variants, every_variant
from adframe.ops.image import to_float
from adframe.random import RandomKeys


def views_of(
    images: Tensor, spec: ViewSpec, shifts: Sequence[Shift], keys: RandomKeys | None
) -> Iterator[Tensor]:
    """Yields views: the unshifted images, then each shift of them if the spec requests shifts.

    ``keys`` may be None if the spec has no random transform.
    """
    shifts = shifts if spec.apply_shifts else []
    if keys is None:
        views: Iterable[Tensor] = every_variant(images, shifts)
    else:
        views = drawn(images, spec, shifts, keys)
    for view in views:
        yield to_float(view).contiguous(memory_format=torch.channels_last)


def drawn(
    images: Tensor, spec: ViewSpec, shifts: Sequence[Shift], keys: RandomKeys
) -> Iterator[Tensor]:
    """Views with random transforms, in 0..1: those before the shift, the shift, those after it."""
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
