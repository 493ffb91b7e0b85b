"""The image formats that are read, and the suffixes by which their files are found."""

from __future__ import annotations

from functools import cache

from PIL import Image

#: Pillow's name of each format -> suffixes. No other format is opened under any file name:
#: some of Pillow's other formats start a program, and most are parsers that no data set needs.
FORMATS: dict[str, tuple[str, ...]] = {
    "AVIF": (".avif", ".avifs"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jfif", ".jpe", ".jpeg", ".jpg", ".mpo"),
    "JPEG2000": (".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpx"),
    "PNG": (".apng", ".png"),
    "PPM": (".pbm", ".pfm", ".pgm", ".pnm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)


@cache
def readable() -> tuple[str, ...]:
    """The formats that this build of Pillow reads, for ``formats=`` of ``Image.open``."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)
