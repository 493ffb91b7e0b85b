"""How image files become pixels of one size, and the way back to the size of the file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from adframe.data.region import Region, lowest_outside

Size = int | Sequence[int]  #: side of a square, or height and width, in pixels
DRAFT = 3  # measured: benchmarks/draft.py
Fit = Literal["crop", "squash", "pad"]  #: how an image of another shape is brought to a size


class Span(NamedTuple):
    """What happens along one side of an image, in pixels from its left or upper edge.

    The image from ``start`` to ``stop`` becomes the result from ``first`` to ``last``.
    """

    start: float
    stop: float
    first: int
    last: int

    @property
    def scale(self) -> float:
        """Pixels of the image in one pixel of the result."""
        return (self.stop - self.start) / (self.last - self.first)

    def moved(self, by: int) -> Span:
        """The same of a larger image, in which this image begins ``by`` pixels later."""
        return self._replace(start=self.start + by, stop=self.stop + by)


class Placement(NamedTuple):
    """Which part of an image is seen, and which part of the result shows it."""

    rows: Span
    columns: Span

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The part of the image: left, upper, right, lower edge, as Pillow takes it."""
        return self.columns.start, self.rows.start, self.columns.stop, self.rows.stop

    @property
    def filled(self) -> tuple[int, int]:
        """Height and width of the part of the result that shows the image."""
        return self.rows.last - self.rows.first, self.columns.last - self.columns.first


@dataclass(frozen=True)
class ReadAs:
    """How an image file is read, whichever file it is.

    Attributes:
        size: side of the result, or its height and width; None keeps the size of the file.
        depth: number of bits that grey values of more than 8 bits use; None is 16.
        fit: what becomes of an image of another shape than ``size``. ``crop`` cuts out the largest
            central part of that shape, ``squash`` stretches the image, and ``pad`` shows all of
            it in the middle and repeats its edge around it.
        region: the part of each image that is read as if it were the whole one; None for all.
        draft: whether the decoder of JPEG files may halve a large picture, once or several times,
            before it is brought to size; not with a region, whose pixels are those of the file.
    """

    size: Size | None = None
    depth: int | None = None
    fit: Fit = "crop"
    region: Region | None = None
    draft: bool = False

    @classmethod
    def of_facts(cls, size: Size, facts: Mapping[str, Any]) -> ReadAs:
        """What ``facts`` describe, at a size.

        Raises:
            ValueError: the region is damaged.
        """
        return cls(size, **{**facts, "region": Region.of_facts(facts.get("region"))})

    @property
    def facts(self) -> dict[str, Any]:
        """All but the size, as plain values for JSON."""
        region = {} if self.region is None else {"region": self.region.facts}
        return {"depth": self.depth, "fit": self.fit, **region, **self._drafted}

    @property
    def _drafted(self) -> dict[str, bool]:
        """Nothing without ``draft``, so that caches and facts stay those of older versions."""
        return {"draft": True} if self.draft else {}

    @property
    def key(self) -> list[object]:
        """All that the pixels depend on, for the name of a file."""
        part = [] if self.region is None else [self.region.facts]
        return [self.result(-1, -1), self.depth, self.fit, *part, *self._drafted]

    def keeps(self, height: int, width: int) -> bool:
        """Whether the result for an image of this height and width is the image itself."""
        return self.region is None and self.result(height, width) == (height, width)

    def result(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result for an image of this height and width."""
        if self.size is None:
            return (height, width) if self.region is None else self.region.shape
        if isinstance(self.size, int):
            return self.size, self.size
        high, wide = self.size
        return high, wide

    def place(self, height: int, width: int) -> Placement:
        """Where an image of this height and width (after its EXIF turn) goes in the result.

        Raises:
            RegionError: the image does not have the region.
        """
        if self.region is not None:
            self.region.check(height, width)
            rows, columns = replace(self, region=None).place(*self.region.shape)
            top, left, _, _ = self.region.box
            return Placement(rows.moved(top), columns.moved(left))
        high, wide = self.result(height, width)
        rows, columns = Span(0, height, 0, high), Span(0, width, 0, wide)
        if self.size is None or self.fit == "squash" or width / height == wide / high:
            return Placement(rows, columns)
        wider = width / height > wide / high
        if self.fit == "crop":
            if wider:
                columns = _cut(width, wide / high * height, wide)
            else:
                rows = _cut(height, width / (wide / high), high)
        elif wider:
            rows = _inside(height, round(height * wide / width), high)
        else:
            columns = _inside(width, round(width * high / height), wide)
        return Placement(rows, columns)

    def draft_size(self, height: int, width: int) -> tuple[int, int] | None:
        """Height and width below which a decoder may not shrink an image; None for its own size.

        Each pixel of the result keeps ``DRAFT`` pixels along a side, so that the filter of resizing
        decides how it looks.
        """
        place = self.place(height, width)
        shrink = min(place.rows.scale, place.columns.scale) / DRAFT
        if not self.draft or self.size is None or self.region is not None or shrink < 2:
            return None
        return math.ceil(height / shrink), math.ceil(width / shrink)

    def share_seen(self, height: int, width: int) -> float:
        """Share of the pixels of an image, or of its region's box, that the result shows, 0..1."""
        left, upper, right, lower = self.place(height, width).box
        high, wide = (height, width) if self.region is None else self.region.shape
        return (right - left) * (lower - upper) / (high * wide)

    def nearest(self, image: Tensor) -> Tensor:
        """An (H, W) image brought to size as pixels are, but by the nearest pixel."""
        rows, columns = self.place(*image.shape)
        high, wide = self.result(*image.shape)
        return image[_nearest(rows, high, len(image))][:, _nearest(columns, wide, image.shape[1])]

    def counted(self) -> Tensor | None:
        """(h, w) bool, the pixels of the result that show what a region's mask marks.

        None if there is no such mask, so that all pixels count.
        """
        if self.region is None or self.region.size is None:
            return None
        return self.nearest(self.region.inside(*self.region.size))


def undo(maps: Tensor, original: tuple[int, int], reading: ReadAs) -> Tensor:
    """Maps of an image as it was read, brought back to the size of its file, bilinearly.

    Args:
        maps: (..., h, w) floating point. They span the whole result of reading, edges of ``pad``
            included; h and w may be smaller than its height and width, as of feature maps.
        original: height and width of the image file, after its EXIF turn.
        reading: how it was read.

    Returns:
        (..., H, W) of the same dtype. Parts that a crop cut off have the value of the nearest part
        that was seen. Pixels outside of a region have the lowest value inside of it.
    """
    for dim, span, length, whole in zip(
        (-2, -1), reading.place(*original), original, reading.result(*original), strict=True
    ):
        maps = _resampled(maps, dim, span, length, whole)
    if reading.region is None:
        return maps
    return lowest_outside(maps, reading.region.inside(*original))


def _cut(length: int, part: float, to: int) -> Span:
    start = (length - part) * 0.5
    return Span(start, start + part, 0, to)


def _inside(length: int, part: int, whole: int) -> Span:
    part = min(max(part, 1), whole)
    first = (whole - part) // 2
    return Span(0, length, first, first + part)


def _nearest(span: Span, whole: int, length: int) -> Tensor:
    """Index of the pixel of the image under the middle of each pixel of the result."""
    inside = torch.arange(whole).clamp(span.first, span.last - 1) - span.first
    return (span.start + (inside + 0.5) * span.scale).floor().long().clamp(0, length - 1)


def _resampled(maps: Tensor, dim: int, span: Span, length: int, whole: int) -> Tensor:
    count = maps.shape[dim]
    middles = torch.arange(length, dtype=torch.float64) + 0.5
    inside = ((middles - span.start) / span.scale + span.first).clamp(span.first, span.last)
    at = inside * (count / whole) - 0.5  # the middle of the map's first value is 0
    first, last = (edge * count / whole for edge in (span.first, span.last))
    at = at.clamp(min(first, last - 1), last - 1).clamp(0, count - 1)
    low = at.floor().long()
    high = (low + 1).clamp(max=count - 1)
    weight = (at - low).to(maps.device, maps.dtype)
    weight = weight if dim == -1 else weight[:, None]
    low, high = low.to(maps.device), high.to(maps.device)
    return torch.lerp(maps.index_select(dim, low), maps.index_select(dim, high), weight)
