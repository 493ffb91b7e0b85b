"""Turns an opened image of any mode into 8-bit RGB."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

SELF_SCALED = ("PPM", "JPEG2000")  # these formats state their own largest value; Pillow scales
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # a tag of TIFF and one of its values


class GreyRange(NamedTuple):
    """What the grey values of more than 8 bits mean in one image."""

    bits: int
    inverted: bool  #: whether 0 is white


def grey_range(image: Image.Image, depth: int | None) -> GreyRange:
    """What deep grey values mean in an image, as it was opened; other images have no use for it.

    Args:
        image: an opened image, not yet turned: a copy forgets its format.
        depth: number of bits that grey values of more than 8 bits use; 16 by default.

    Raises:
        ValueError: the values have no fixed range, or Pillow has halved the bits already.
    """
    tags = getattr(image, "tag_v2", {})
    if image.mode == "F":
        raise ValueError("floating-point pixels have no fixed range; convert it to 8 or 16 bits")
    if image.mode == "I" and tags and depth is None:
        raise ValueError("32-bit integers have no fixed range; set depth to the bits in use")
    of_16_bits = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
    if depth not in (None, 16) and of_16_bits and not image.mode.startswith("I"):
        raise ValueError("of 16-bit colours only the upper 8 bits are read; depth is for grey")
    bits = 16 if depth is None or image.format in SELF_SCALED else depth
    # Pillow inverts 8-bit images only.
    inverted = image.mode.startswith("I") and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    return GreyRange(bits, inverted)


def to_rgb(image: Image.Image, grey: GreyRange) -> Image.Image:
    """An image as 8-bit RGB: grey repeated, deep grey scaled, transparent parts white.

    Raises:
        ValueError: a value is outside of the range.
    """
    if image.mode.startswith("I"):
        image = _scaled(image, grey)
    if {"A", "a"} & set(image.getbands()) or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(ground, rgba)
    return image if image.mode == "RGB" else image.convert("RGB")


def _scaled(image: Image.Image, grey: GreyRange) -> Image.Image:
    """Grey of more than 8 bits as 8 bits: ``convert`` would clip, not scale."""
    top = 2**grey.bits - 1
    values = np.asarray(image, dtype=np.float64)
    low, high = values.min(), values.max()
    if low < 0 or high > top:
        raise ValueError(f"values {low:.0f}..{high:.0f} exceed {grey.bits} bits (0..{top})")
    if grey.inverted:
        values = top - values
    return Image.fromarray((values * 255 / top).round().astype(np.uint8))
