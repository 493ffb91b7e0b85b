"""Reads image files of every kind as uint8 RGB tensors."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps
from PIL.ImageFile import ImageFile
from torch import Tensor

from adframe.data.encoded import Encoded
from adframe.data.formats import readable
from adframe.data.image_errors import ImageError as ImageError
from adframe.data.image_errors import naming
from adframe.data.jpeg import MAX_PIXELS, plain_jpeg, plain_jpeg_file, shrink_jpeg
from adframe.data.modes import GreyRange, grey_range, to_rgb
from adframe.data.reading import ReadAs
from adframe.io.paths import AnyPath
from adframe.io.read import open_regular

RULES = 3  # version of ``read_image``; raise it with each change of the pixels
AS_IT_IS = ReadAs()  # in its own size

# Pillow's warnings name no file. What makes an image unreadable is an error here, which does.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

logger = logging.getLogger("adframe")


def read_image(path: AnyPath | bytes, reading: ReadAs = AS_IT_IS) -> Tensor:
    """(3, H, W) uint8 RGB pixels of an image file, or of the bytes of one.

    Grey is repeated to three channels. Transparent pixels are blended with white. 16-bit grey is
    scaled to 8 bits. CMYK, YCbCr, LAB and palettes are converted. Of an animation, the first frame
    is read. The EXIF orientation is applied. An image is resized bilinearly, antialiased.

    Raises:
        ImageError: the file is missing, truncated, not an image of the known formats, not a regular
            file, or of more than 89 megapixels; its values have no fixed range, such as floating
            point; or it does not have the region.
    """
    quickly = None if isinstance(path, bytes | Encoded) else plain_jpeg_file(path, reading)
    if quickly is not None:
        return quickly
    with open_image(path) as opened:
        shrink_jpeg(opened, reading)
        grey = grey_range(opened, reading.depth)
        if reading.keeps(opened.height, opened.width):
            pixels = plain_jpeg(opened)
            if pixels is not None:
                return pixels
        ImageOps.exif_transpose(opened, in_place=True)
        return _as_pixels(opened, reading, grey)


def as_pixels(image: Image.Image, reading: ReadAs = AS_IT_IS) -> Tensor:
    """The same pixels as by ``read_image``, of a PIL image; the image itself stays as it is.

    Raises:
        ImageError: its file is truncated or closed, or as for ``read_image``.
    """
    name = getattr(image, "filename", "") or f"PIL image of mode {image.mode}"
    with naming(name):
        _check_count(image, name)
        grey = grey_range(image, reading.depth)
        return _as_pixels(ImageOps.exif_transpose(image), reading, grey)


def original_size(path: AnyPath) -> tuple[int, int]:
    """Height and width of an image file after its EXIF turn; most files are not decoded.

    Raises:
        ImageError: as for ``read_image``.
    """
    with open_image(path) as opened:
        if opened.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            ImageOps.exif_transpose(opened, in_place=True)
        return opened.height, opened.width


@contextmanager
def open_image(path: AnyPath | bytes) -> Iterator[ImageFile]:
    """Open an image file, or its bytes; it is not decoded yet. Any error in the block names it.

    Raises:
        ImageError: as for ``read_image``.
    """
    name = f"image of {len(path)} bytes" if isinstance(path, bytes) else path
    data = path.data if isinstance(path, Encoded) else path
    with (
        naming(name),
        BytesIO(data) if isinstance(data, bytes) else open_regular(data) as file,
        naming(name),
        Image.open(file, formats=readable()) as opened,
    ):
        _check_count(opened, name)
        yield opened


def _check_count(image: Image.Image, name: AnyPath) -> None:
    wide, high = image.size
    if not 0 < wide * high <= MAX_PIXELS:
        wrong = "are too many; shrink it" if wide * high else "are no image"
        raise ImageError(f"{name}: {wide}x{high} pixels {wrong}")


def read_twice(path: AnyPath, reading: ReadAs) -> tuple[Tensor, Tensor]:
    """The pixels as by ``read_image``, and those of the image in its own size, decoded once.

    Raises:
        ImageError: as for ``read_image``.
    """
    with open_image(path) as opened:
        if shrink_jpeg(opened, reading):
            whole = replace(AS_IT_IS, depth=reading.depth)
            return read_image(path, reading), read_image(path, whole)
        grey = grey_range(opened, reading.depth)
        plain = plain_jpeg(opened)
        if plain is not None and reading.keeps(*plain.shape[1:]):
            return plain, plain
        ImageOps.exif_transpose(opened, in_place=True)
        image = to_rgb(opened, grey)
        return _resized(image, reading), _resized(image, AS_IT_IS)


def _as_pixels(image: Image.Image, reading: ReadAs, grey: GreyRange) -> Tensor:
    return _resized(to_rgb(image, grey), reading)


def _resized(image: Image.Image, reading: ReadAs) -> Tensor:
    if reading.region is not None:
        image, reading = reading.region.cut(image), replace(reading, region=None)
    if reading.size is None:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
    rows, columns = place = reading.place(image.height, image.width)
    high, wide = reading.result(image.height, image.width)
    image = image.resize(place.filled[::-1], Image.Resampling.BILINEAR, box=place.box)
    around = (rows.first, high - rows.last), (columns.first, wide - columns.last), (0, 0)
    pixels = np.pad(np.asarray(image), around, mode="edge")
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
