"""Reads many image files: into memory, into a cache file, or on demand."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from adframe.data.ahead import decoded
from adframe.data.cache import mapped
from adframe.data.lazy import Pixels
from adframe.data.masks import RegionLike, as_region
from adframe.data.on_demand import on_demand
from adframe.data.reading import Fit, ReadAs, Size
from adframe.errors import UserError
from adframe.io.paths import AnyPath, as_list


def read_images(
    paths: AnyPath | Iterable[AnyPath],
    size: Size | None = None,
    depth: int | None = None,
    fit: Fit = "crop",
    region: RegionLike = None,
    draft: bool = False,
) -> Tensor:
    """(N, 3, H, W) uint8 pixels of image files that share a size, or are resized to one.

    Args:
        paths: one file or several.
        size: side of the result in pixels, or its height and width. By default the images keep
            their size.
        depth: number of bits that grey values of more than 8 bits use, such as 12; 16 by default.
        fit: what becomes of an image of another shape than ``size``. ``crop`` cuts out its largest
            central part of that shape; ``squash`` stretches it; ``pad`` shows all of it in the
            middle and repeats its edge around it.
        region: the part of each image that is read as if it were the whole one: top, left, bottom
            and right of a box in pixels of the file; or the file of a mask of the images' size, in
            which every value but 0 is in the region. The smallest box around the mask is cut out,
            and what it does not mark becomes grey (128).
        draft: let the decoder of JPEG files halve large pictures before they are resized.

    Raises:
        ImageError: a file is unreadable; the first such is named, with how many there are.
        UserError: without ``size``, two files differ in size; or all do not fit in memory.
    """
    return _in_memory(as_list(paths), _reading(size, depth, fit, region, draft), False)[0]


def readable_images(
    paths: AnyPath | Iterable[AnyPath],
    size: Size | None = None,
    depth: int | None = None,
    fit: Fit = "crop",
    region: RegionLike = None,
    draft: bool = False,
) -> tuple[Tensor, list[int]]:
    """Reads image files as ``read_images``, but skips unreadable files and logs a warning.

    Returns:
        (K, 3, H, W) uint8 pixels, and the index of each image in ``paths``.

    Raises:
        ImageError: no file is readable.
        UserError: as for ``read_images``.
    """
    return _in_memory(as_list(paths), _reading(size, depth, fit, region, draft), True)


def open_images(
    paths: AnyPath | Iterable[AnyPath],
    size: Size | None = None,
    *,
    depth: int | None = None,
    fit: Fit = "crop",
    region: RegionLike = None,
    draft: bool = False,
    skip_unreadable: bool = False,
    cache: AnyPath | None = None,
    workers: int | Literal["auto"] | None = None,
) -> tuple[Pixels, list[int]]:
    """Opens image files as pixels; also returns the index of each image in ``paths``.

    Args:
        paths, size, depth, fit, region, draft: as for ``read_images``.
        skip_unreadable: skip unreadable files with a warning, as ``readable_images`` does.
        cache: folder for a file with the decoded pixels. The file is mapped into memory, so images
            may be larger than memory.
        workers: number of processes that decode the images each time they are needed; nothing is
            kept. ``auto`` is one process for each core, at most 8.

    Raises:
        ImageError, UserError: as for ``read_images``; or the folder cannot be written.
    """
    paths, reading = as_list(paths), _reading(size, depth, fit, region, draft)
    if cache is not None:
        return mapped(paths, reading, skip_unreadable, Path(cache))
    if workers is not None:
        count = None if workers == "auto" else workers
        return on_demand(paths, reading, skip_unreadable, count)
    return _in_memory(paths, reading, skip_unreadable)


def _reading(
    size: Size | None, depth: int | None, fit: Fit, region: RegionLike, draft: bool
) -> ReadAs:
    if fit not in get_args(Fit):
        raise UserError(f"fit: must be one of {', '.join(get_args(Fit))}, not {fit!r}")
    return ReadAs(size, depth, fit, as_region(region), draft)


def _in_memory(
    paths: Sequence[AnyPath], reading: ReadAs, skip_unreadable: bool
) -> tuple[Tensor, list[int]]:
    pixels = torch.empty(0)
    kept: list[int] = []
    for index, image in decoded(paths, reading, skip_unreadable):
        if not kept:
            check_memory(len(paths), image)
            pixels = torch.empty((len(paths), *image.shape), dtype=torch.uint8)
        pixels[len(kept)] = image
        kept.append(index)
    return pixels[: len(kept)], kept


def check_memory(count: int, image: Tensor) -> None:
    """Raises an error if images do not fit in memory.

    Raises:
        UserError: they do not; the message has the bytes needed and the bytes free.
    """
    need = count * image.numel()
    free = _available()
    if need > free:
        raise UserError(
            f"{count} images need {need / 2**30:.1f} GiB decoded and {free / 2**30:.1f} GiB "
            "are free; use fewer images or a smaller size, or a data set's 'cache'"
        )


def _available() -> float:
    """Bytes of free memory without swapping; all memory if the system does not report it."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            fields = dict(line.split(":") for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        has = hasattr(os, "sysconf")  # not on Windows, where nothing is checked
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if has else math.inf
