"""Checks images that components return: data sets, shifts, augmentations, backbones.

Each function returns the problem as text, or an empty text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from adframe.data.lazy import LazyImages
from adframe.engine.returned import is_count, shown
from adframe.interfaces import Images, Splits


def of_augmentation(
    made: Any, of: Tensor, what: str, slack: float = 0.01, resized: bool = True
) -> str:
    """Problem of augmented images: floating point in 0..1, no larger than the images.

    Args:
        made: what was returned.
        of: the images that were augmented.
        what: the call, for the message.
        slack: how far values may lie outside 0..1.
        resized: whether views may have fewer pixels.
    """
    expected = f"floating-point images of shape {tuple(of.shape)} in 0..1 on {of.device}"
    if not isinstance(made, Tensor) or not made.is_floating_point() or made.device != of.device:
        return f"{what} returns {shown(made)}, not {expected}"
    alike = made.shape == of.shape
    smaller = made.ndim == 4 and made.shape[:2] == of.shape[:2] and 0 not in made.shape
    smaller = smaller and made.shape[2] <= of.shape[2] and made.shape[3] <= of.shape[3]
    if not (alike or (resized and smaller)):
        return f"{what} returns {shown(made)}, not {expected}"
    return _range(made, 1, slack, what)


def of_shift(made: Any, of: Tensor, what: str, slack: float = 0.01) -> str:
    """Problem of shifted images: shape, dtype, device and range stay."""
    same = isinstance(made, Tensor) and made.dtype == of.dtype and made.device == of.device
    if not same or made.shape != of.shape:
        return f"{what} returns {shown(made)}, not {shown(of)}"
    return _range(made, 1, slack, what) if made.is_floating_point() else ""


def _range(made: Tensor, top: float, slack: float, what: str) -> str:
    low, high = made.min().item(), made.max().item()
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{what} returns values that are not finite"
    inside = low >= -slack and high <= top + slack
    return "" if inside else f"{what} returns values {low:.4g}..{high:.4g}, not within 0..{top}"


def of_backbone(made: Any, widths: Sequence[int], rows: int) -> str:
    """Problem of the feature maps of a backbone."""
    expected = f"a list of maps (N, width, H, W) with widths {list(widths)}"
    if not isinstance(made, list | tuple):
        return f"forward returns {shown(made)}, not {expected}"
    whole = all(isinstance(m, Tensor) and m.ndim == 4 and m.is_floating_point() for m in made)
    if not whole or [tuple(m.shape[:2]) for m in made] != [(rows, width) for width in widths]:
        found = ", ".join(map(shown, made))
        return f"forward returns {found or 'no map'} for {rows} images, not {expected}"
    return ""


def widths(found: Any) -> str:
    """Problem of ``Backbone.widths``."""
    whole = isinstance(found, list | tuple) and len(found) > 0
    if not whole or not all(is_count(width) for width in found):
        return f"widths is {found!r}, not a list of the number of channels of each stage"
    return ""


def splits(made: Any) -> str:
    """Problem of the splits of a data set."""
    if not isinstance(made, Splits):
        return f"load returns {shown(made)}, not Splits"
    if not isinstance(made.classes, Sequence) or not len(made.classes):
        return f"load gives {shown(made.classes)} as classes, not a list of their names"
    parts = {"train": made.train, "test": made.test}
    parts |= {} if made.validation is None else {"validation": made.validation}
    for what, of in parts.items():
        if problem := images(of, what, len(made.classes)):
            return problem
    if bool(made.train.outlier.any()):
        return "train contains outliers"
    sizes = {what: tuple(of.pixels.shape[1:]) for what, of in parts.items()}
    shown_sizes = ", ".join(f"{what} {size}" for what, size in sizes.items())
    return "" if len(set(sizes.values())) == 1 else f"image size differs: {shown_sizes}"


def images(made: Any, what: str, classes: int | None = None) -> str:
    """Problem of images of a data set: uint8 pixels of one size, and as many labels and names.

    Args:
        made: what was returned.
        what: the part of the data set, for the message.
        classes: number of inlier classes, if known.
    """
    if not isinstance(made, Images):
        return f"{what} is {shown(made)}, not Images"
    problem = _pixels(made.pixels) or _facts(made) or _labels(made.label, classes)
    return f"{what}: {problem}" if problem else ""


def _pixels(pixels: Any) -> str:
    if not isinstance(pixels, Tensor | LazyImages):
        return f"pixels are {shown(pixels)}, not a tensor (N, 3, H, W)"
    if pixels.dtype != torch.uint8:
        return f"pixels are {pixels.dtype}, not uint8"
    if pixels.ndim != 4 or pixels.shape[1] != 3 or 0 in pixels.shape[2:]:
        return f"pixels have shape {tuple(pixels.shape)}, not (N, 3, H, W)"
    return ""


def _facts(made: Images) -> str:
    count = len(made)
    for name, dtype in {"label": torch.int64, "outlier": torch.bool}.items():
        values = getattr(made, name)
        if not isinstance(values, Tensor) or values.dtype != dtype or values.shape != (count,):
            return f"{name} is {shown(values)}, not a tensor of shape ({count},), {dtype}"
    if not hasattr(made.names, "__getitem__") or len(made.names) != count:
        found = len(made.names) if hasattr(made.names, "__len__") else shown(made.names)
        return f"{found} names for {count} images"
    return _masks(made)


def _masks(made: Images) -> str:
    if not isinstance(made.masks, Sequence):
        return f"masks are {shown(made.masks)}, not a sequence"
    if len(made.masks) not in (0, len(made)):
        return f"{len(made.masks)} masks for {len(made)} images"
    first, size = made.masks[0] if made.masks else None, tuple(made.pixels.shape[2:])
    whole = isinstance(first, Tensor) and first.dtype == torch.bool and first.shape == size
    return "" if whole or first is None else f"a mask is {shown(first)}, not {size}, torch.bool"


def _labels(label: Tensor, classes: int | None) -> str:
    inside = label >= -1 if classes is None else (label >= -1) & (label < classes)
    last = "" if classes is None else classes - 1
    return "" if bool(inside.all()) else f"a label is not one of -1..{last}"
