"""Masks of defects, read from files when they are needed, and the mask of a region."""

from __future__ import annotations

import logging
import math
import operator
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Literal, TypeVar, overload

import numpy as np
import torch
from PIL import ImageOps
from torch import Tensor

from adframe.data.decode import open_image, original_size
from adframe.data.reading import Fit, ReadAs, Size
from adframe.data.region import Region
from adframe.errors import UserError
from adframe.io.paths import AnyPath

MaskSource = AnyPath | Literal[False] | None  #: a file; no defect; not known
RegionLike = Region | AnyPath | Sequence[int] | None  #: file of a mask, or a box; None is all
Item = TypeVar("Item")

logger = logging.getLogger("adframe")

_AS_VALUES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "F")  # other modes have several bands


class LazySequence(Sequence[Item], Generic[Item]):
    """Items that are read each time they are asked for.

    Args:
        rows: what ``read`` is called with for each item.
        read: reads one item.
    """

    def __init__(self, rows: Sequence[int], read: Callable[[int], Item]) -> None:
        self._rows, self._read = rows, read

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> LazySequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | LazySequence[Item]:
        if isinstance(index, slice):
            return LazySequence(self._rows[index], self._read)
        return self._read(self._rows[index])


class MaskFiles(LazySequence[Tensor | None]):
    """The mask of each image: (H, W) bool of the size that the image is read in, or None.

    Attributes:
        files: number of mask files that mark a defect.
        outside: number of them whose defect lies wholly in parts that are not seen.
    """

    def __init__(
        self, sources: Sequence[MaskSource], images: Sequence[AnyPath], reading: ReadAs
    ) -> None:
        super().__init__(range(len(sources)), self._mask)
        self._sources, self._images, self._reading = list(sources), images, reading
        self._counted = reading.counted()
        given = [row for row, source in enumerate(sources) if source not in (False, None)]
        with ThreadPoolExecutor() as pool:
            seen = list(pool.map(self._seen, given))
        self.files, self.outside = len(seen) - seen.count(None), seen.count(False)
        empty = [row for row, found in zip(given, seen, strict=True) if found is None]
        if empty:
            logger.warning(
                "%d of %d masks are empty, such as %s; where these defects are is unknown",
                len(empty), len(given), sources[empty[0]],
            )  # fmt: skip
        for row in empty:
            self._sources[row] = None

    def _mask(self, row: int) -> Tensor | None:
        source, image = self._sources[row], self._images[row]
        if source is None:
            return None
        if source is False:
            size = self._reading.size
            height, width = original_size(image) if size is None else (1, 1)
            return torch.zeros(self._reading.result(height, width), dtype=torch.bool)
        mask = self._reading.nearest(_marked(source))
        return mask if self._counted is None else mask & self._counted

    def _seen(self, row: int) -> bool | None:
        """Whether any part of a defect is seen; None for an empty mask."""
        source, image = self._sources[row], self._images[row]
        assert source
        mask, size = _marked(source), original_size(image)
        if tuple(mask.shape) != size:
            here, there = (f"{wide}x{high}" for high, wide in (mask.shape, size))
            raise UserError(f"{source}: a mask of {here} pixels; its image {image} has {there}")
        rows, columns = (
            slice(math.floor(span.start), math.ceil(span.stop))
            for span in self._reading.place(*size)
        )
        if not mask.any():
            return None
        region = self._reading.region
        seen = mask if region is None else mask & region.inside(*size)
        return bool(seen[rows, columns].any())


def open_masks(
    masks: Iterable[MaskSource],
    images: Iterable[AnyPath],
    size: Size | None = None,
    *,
    fit: Fit = "crop",
    region: RegionLike = None,
) -> Sequence[Tensor | None]:
    """Opens the masks of image files: (H, W) bool of each image's size, true where a defect is.

    They are brought to size as the images are, by the nearest pixel, each time one is asked for.
    All files are read once now, so that a wrong one is found at the start. The mask of an image
    whose file marks no pixel counts as not known; one warning counts such files.

    Args:
        masks: for each image the file of its mask, in which every value but 0 is a defect; or False
            for an image without a defect, or None if that is not known.
        images: the image files.
        size, fit, region: as for ``read_images``. A pixel outside of the region is no defect.

    Raises:
        UserError: a mask is missing, unreadable, or of another size than its image.
    """
    reading = ReadAs(size, fit=fit, region=as_region(region))
    return MaskFiles(list(masks), list(images), reading)


def as_region(region: RegionLike) -> Region | None:
    """A region of interest, whose mask is read now.

    Args:
        region: file of a mask, in which every value but 0 is in the region; or top, left, bottom
            and right of a box in pixels; None for none.

    Raises:
        UserError: the mask is missing, unreadable or empty, or the box is none.
    """
    if region is None or isinstance(region, Region):
        return region
    if isinstance(region, str | os.PathLike):
        try:
            return Region.of_mask(_marked(region).numpy())
        except ValueError as error:
            raise UserError(f"{os.fspath(region)}: {error}") from error
    try:
        top, left, bottom, right = map(operator.index, region)
        return Region.of_box((top, left, bottom, right))
    except (TypeError, ValueError) as error:
        text = f"must be the file of a mask, or [top, left, bottom, right] of a box, not {region!r}"
        raise UserError(f"region: {text}") from error


def _marked(path: AnyPath) -> Tensor:
    """(H, W) bool, true where the file of a mask has any value but 0; alpha does not count."""
    with open_image(path) as opened:
        ImageOps.exif_transpose(opened, in_place=True)
        values = np.asarray(opened if opened.mode in _AS_VALUES else opened.convert("RGB"))
    return torch.from_numpy(values != 0 if values.ndim == 2 else (values != 0).any(2))
