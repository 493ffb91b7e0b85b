"""JPEG files decoded faster than by Pillow, where the pixels are the same."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from PIL import ExifTags
from PIL.ImageFile import ImageFile
from torch import Tensor

from adframe.data.reading import ReadAs
from adframe.errors import UserError
from adframe.io.paths import AnyPath
from adframe.io.read import open_regular

_NOT_PLAIN = frozenset({"exif", "xmp", "adobe"})  # keys of Pillow's ``info``
_ON_SIDE = (5, 6, 7, 8)  # EXIF turns that exchange height and width
_RGB = 3  # torchvision's ImageReadMode
_SUFFIXES = frozenset({".jpg", "jpeg"})
_HEAD = 4096  # bytes in which the size of a plain file is
_MARKER, _DATA = 0xFF, 0xDA  # each segment begins with the first
_FRAMES = frozenset({0xC0, 0xC2})  # baseline and progressive
_TABLES = frozenset({0xC4, 0xDB, 0xDD, 0xE0})  # Huffman's, quantisation, restarts; JFIF
MAX_PIXELS = 89_478_485  # of one image: Pillow's limit against decompression bombs


def plain_jpeg_file(path: AnyPath, reading: ReadAs) -> Tensor | None:
    """Pixels of a JPEG file that Pillow need not open, with half of its time for a small one.

    Only for files whose segments are the ordinary ones: JFIF's, tables, and one frame of three
    colours in the wanted size. None for any other file, or for one that is damaged.
    """
    decode = _decoder() if os.fspath(path)[-4:].lower() in _SUFFIXES else None
    if decode is None:
        return None
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD)
            size = _plain_size(head)
            if size is None or not reading.keeps(*size) or size[0] * size[1] > MAX_PIXELS:
                return None
            data = head + file.read()
        whole = data.endswith(b"\xff\xd9")
        return decode(torch.frombuffer(bytearray(data), dtype=torch.uint8), _RGB) if whole else None
    except (UserError, RuntimeError):
        return None  # Pillow gives the reason


def _plain_size(head: bytes) -> tuple[int, int] | None:
    """Height and width, if all segments before the data are ones that turn or recolour nothing."""
    if head[:4] != b"\xff\xd8\xff\xe0" or head[6:11] != b"JFIF\0":
        return None
    size: tuple[int, int] | None = None
    place = 2
    while place + 10 <= len(head) and head[place] == _MARKER:
        marker, length = head[place + 1], int.from_bytes(head[place + 2 : place + 4], "big")
        if marker == _DATA:
            return size
        if marker in _FRAMES and size is None:
            bits, high, wide, colours = struct.unpack(">BHHB", head[place + 4 : place + 10])
            if bits != 8 or colours != 3 or not high or not wide:
                return None
            size = high, wide
        elif marker not in _TABLES or length < 2:
            return None
        place += 2 + length
    return None


def plain_jpeg(image: ImageFile) -> Tensor | None:
    """Pixels of a JPEG file, decoded by torchvision in about half the time of Pillow.

    They are equal bit for bit; a test compares them. None for a file that only Pillow reads as
    documented: it may be turned (EXIF, XMP), has other colours (Adobe), or is cut short. A picture
    that is resized takes the same time either way, so it is not read like this.
    """
    plain = image.format == "JPEG" and image.mode == "RGB" and not _NOT_PLAIN & image.info.keys()
    decode = _decoder() if plain else None
    if decode is None or image.fp is None:
        return None
    image.fp.seek(0)
    data = image.fp.read()
    try:
        whole = data.endswith(b"\xff\xd9")
        return decode(torch.frombuffer(bytearray(data), dtype=torch.uint8), _RGB) if whole else None
    except RuntimeError:
        return None  # Pillow gives the reason


def shrink_jpeg(image: ImageFile, reading: ReadAs) -> bool:
    """Let the decoder of a JPEG file halve a large picture; returns whether it will."""
    if not reading.draft or image.format not in ("JPEG", "MPO"):
        return False
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) in _ON_SIDE
    before = image.size
    least = reading.draft_size(*(before if turned else before[::-1]))
    if least is not None:
        image.draft(None, least if turned else least[::-1])
    return image.size != before


@cache
def _decoder() -> Callable[[Tensor, int], Tensor] | None:
    """The operator behind ``torchvision.io.decode_jpeg``; None if torchvision lacks it.

    That function itself warns at every call that it will be removed, as of torchvision 0.29. The
    library of the operator is loaded alone: importing torchvision takes as long as importing torch.
    """
    try:
        spec = find_spec("torchvision")
        for folder in (spec and spec.submodule_search_locations) or ():
            for library in sorted(Path(folder).glob("image*.so")):  # image_stable.so as of 0.29
                torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        decode: Callable[[Tensor, int], Tensor] = torch.ops.image.decode_jpeg
    except (ImportError, OSError, AttributeError):
        return None
    return decode
