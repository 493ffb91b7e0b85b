"""What may be passed as images: paths, bytes, PIL images, and pixels of any layout and depth."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from adframe.data.lazy import LazyImages
from adframe.errors import UserError
from adframe.io.paths import AnyPath

OneImage = AnyPath | bytes | Image.Image | np.ndarray | Tensor
ImagesLike = OneImage | Iterable[OneImage]

CHANNELS = (1, 3, 4)  # grey, RGB, RGBA


def listed(images: ImagesLike) -> Tensor | np.ndarray | list[OneImage]:
    """Converts one path, PIL image or bytes to a list of one; keeps arrays and lists."""
    if isinstance(images, LazyImages):
        return images[:]
    if isinstance(images, Tensor | np.ndarray):
        of_paths = isinstance(images, np.ndarray) and images.dtype.kind in "OU"
        return images.tolist() if of_paths else images
    if isinstance(images, str | bytes | os.PathLike | Image.Image):
        return [images]
    if isinstance(images, io.IOBase) or not isinstance(images, Iterable):
        raise UserError(f"expected an image or several, not {type(images).__name__}")
    return list(images)


def paths_of(images: Tensor | np.ndarray | list[OneImage]) -> list[AnyPath]:
    """Returns the images if all of them are paths, else an empty list."""
    if not isinstance(images, list):
        return []
    paths = [path for path in images if isinstance(path, str | os.PathLike)]
    return paths if len(paths) == len(images) else []


def as_batch(pixels: np.ndarray | Tensor) -> np.ndarray:
    """Pixels as uint8 or uint16 of shape (N, H, W, C), with 1, 3 or 4 channels.

    Args:
        pixels: uint8, uint16, or floating point in 0..1; of shape (H, W), (H, W, C), (N, H, W, C)
            or (N, C, H, W); a tensor may also be (C, H, W). Nothing, (0, ...), is no image.

    Raises:
        UserError: they have another shape or type, or can be read in two ways.
    """
    array = _to_numpy(pixels)
    if array.shape[:1] == (0,):
        return np.empty((0, 1, 1, 3), dtype=np.uint8)
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise _refused(pixels)
    stack = array[None, :, :, None] if array.ndim == 2 else array
    stack = stack[None] if array.ndim == 3 else stack
    first, last = stack.shape[1] in CHANNELS, stack.shape[-1] in CHANNELS
    if first and (last or (array.ndim == 3 and not isinstance(pixels, Tensor))):
        raise UserError(
            f"pixels of shape {tuple(array.shape)} can be read in two ways; "
            "pass them as (N, H, W, C), or as PIL images"
        )
    if not first and not last:
        raise _refused(pixels)
    return _integers(stack.transpose(0, 2, 3, 1) if first else stack, pixels)


def as_images(batch: np.ndarray) -> Iterator[Image.Image]:
    """The PIL image of each item of a batch from ``as_batch``, as its file would be opened."""
    for item in batch:
        if item.shape[-1] == 1:
            yield Image.fromarray(np.ascontiguousarray(item[..., 0]))
        else:  # of 16-bit colours, Pillow reads the upper 8 bits
            eight = item if item.dtype == np.uint8 else (item >> 8).astype(np.uint8)
            yield Image.fromarray(np.ascontiguousarray(eight))


def _to_numpy(pixels: np.ndarray | Tensor) -> np.ndarray:
    if not isinstance(pixels, Tensor):
        if np.ma.is_masked(pixels):
            raise UserError("expected pixels, not a masked array; fill what is masked")
        return np.asarray(pixels)
    odd = pixels.is_meta or pixels.layout is not torch.strided
    if odd or pixels.is_nested or pixels.is_quantized:
        raise _refused(pixels)
    pixels = pixels.detach().cpu().resolve_conj().resolve_neg()
    return (pixels.float() if pixels.dtype is torch.bfloat16 else pixels).numpy()


def _integers(array: np.ndarray, given: np.ndarray | Tensor) -> np.ndarray:
    """Pixels as uint8 or uint16, in the byte order of this machine."""
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind != "f":
        raise _refused(given)
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1):  # also if one is NaN
        raise UserError(f"expected floating-point pixels in 0..1, not {low:.4g}..{high:.4g}")
    return (array.astype(np.float64) * 255).round().astype(np.uint8)


def _refused(pixels: np.ndarray | Tensor) -> UserError:
    kind = str(pixels.dtype).removeprefix("torch.")
    if isinstance(pixels, Tensor) and pixels.is_nested:
        return UserError("expected pixels, not a nested tensor; pass a list of tensors")
    if isinstance(pixels, Tensor) and (pixels.is_meta or pixels.layout is not torch.strided):
        kind = "a sparse tensor or one without values"
    return UserError(
        "expected pixels of type uint8, uint16 or floating point in 0..1 and of shape (H, W), "
        "(H, W, C) or (N, H, W, C) with 1, 3 or 4 channels, "
        f"not {kind} of shape {tuple(pixels.shape)}"
    )
