"""A region of interest: the part of each image that is seen, a box or what a mask marks."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

GREY = 128  # of the pixels in the box that the mask does not mark
MOST = 1 << 16  # pixels of a side
Box = tuple[int, int, int, int]  #: top, left, bottom, right, in pixels


class RegionError(ValueError):
    """Error for an image that does not have the region; the message does not name the image."""


@dataclass(frozen=True)
class Region:
    """The part of each image that is seen.

    Attributes:
        box: the part as a box, in pixels of the file after its EXIF turn. Of a mask it is the
            smallest box around what the mask marks.
        size: height and width of the mask, which each image must have; None without a mask.
        png: the mask inside the box as a PNG of one bit; empty without a mask.
    """

    box: Box
    size: tuple[int, int] | None = None
    png: bytes = b""

    @classmethod
    def of_box(cls, box: Box) -> Region:
        """A box.

        Raises:
            ValueError: it holds no pixel, or begins outside of all images.
        """
        top, left, bottom, right = box
        if not (0 <= top < bottom < MOST and 0 <= left < right < MOST):
            raise ValueError(f"must be [top, left, bottom, right] of a box, not {list(box)}")
        return cls(box)

    @classmethod
    def of_mask(cls, mask: np.ndarray) -> Region:
        """What a mask marks, (H, W) bool.

        Raises:
            ValueError: it marks no pixel.
        """
        rows, columns = (np.flatnonzero(mask.any(axis)).tolist() for axis in (1, 0))
        if not rows:
            raise ValueError("marks no pixel")
        high, wide = mask.shape
        box = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
        stream = io.BytesIO()
        Image.fromarray(mask[box[0] : box[2], box[1] : box[3]]).convert("1").save(stream, "PNG")
        return cls(box, (high, wide), stream.getvalue())

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any] | None) -> Region | None:
        """A region from its ``facts``.

        Raises:
            ValueError: they are damaged.
        """
        if facts is None:
            return None
        try:
            region = cls.of_box(_whole(facts["box"], 4))
            if facts["mask"] is None:
                return region
            size, png = _whole(facts["size"], 2), base64.b64decode(facts["mask"], validate=True)
            top, left, bottom, right = region.box
            shape = _marked(png).shape
        except Exception as error:  # Pillow may raise anything for a damaged mask
            raise ValueError(f"region is damaged: {error}") from error
        if shape != (bottom - top, right - left) or bottom > size[0] or right > size[1]:
            raise ValueError("region is damaged: its mask has another size")
        return cls(region.box, size, png)

    @property
    def facts(self) -> dict[str, Any]:
        """The region as plain values for JSON, from which ``of_facts`` makes an equal one."""
        text = base64.b64encode(self.png).decode() if self.png else None
        return {"box": list(self.box), "size": self.size and list(self.size), "mask": text}

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the box."""
        top, left, bottom, right = self.box
        return bottom - top, right - left

    def check(self, height: int, width: int) -> None:
        """Check that an image of this height and width has the region.

        Raises:
            RegionError: it has not.
        """
        _, _, bottom, right = self.box
        here = f"{width}x{height} pixels"
        if self.size is not None and self.size != (height, width):
            raise RegionError(f"{here}; the mask of its region has {self.size[1]}x{self.size[0]}")
        if bottom > height or right > width:
            raise RegionError(f"{here}; the box {list(self.box)} of its region is not inside")

    def cut(self, image: Image.Image) -> Image.Image:
        """The box of an RGB image; what the mask does not mark is grey.

        Raises:
            RegionError: the image does not have the region.
        """
        self.check(image.height, image.width)
        top, left, bottom, right = self.box
        part = image.crop((left, top, right, bottom))
        if self.png:
            part.paste((GREY,) * 3, mask=Image.fromarray(~_marked(self.png)))
        return part

    def inside(self, height: int, width: int) -> Tensor:
        """(H, W) bool, true for the pixels of an image of this size that are in the region."""
        top, left, bottom, right = self.box
        found = torch.zeros(height, width, dtype=torch.bool)
        part = torch.from_numpy(_marked(self.png)) if self.png else True
        found[top:bottom, left:right] = part
        return found


def lowest_outside(maps: Tensor, inside: Tensor) -> Tensor:
    """Maps that have their lowest value inside of a region also everywhere outside of it.

    Args:
        maps: (..., H, W) floating point.
        inside: (H, W) bool, the region.
    """
    low = maps.masked_fill(~inside, torch.inf).amin((-2, -1), keepdim=True)
    return torch.where(inside | low.isinf(), maps, low)  # infinite: no pixel is inside


@lru_cache(maxsize=4)
def _marked(png: bytes) -> np.ndarray:
    """(H, W) bool of a mask; it is decoded once, not for each image."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        return np.array(image.convert("1"))  # torch takes no array that is read-only


def _whole(values: Any, count: int) -> Any:
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"{values}")
    if not all(type(value) is int and 0 <= value < MOST for value in values):
        raise ValueError(f"{values}")
    return tuple(values)
