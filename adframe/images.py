"""Image files as uint8 tensors, every kind of file in one documented way."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from adframe.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm"})


class ImageError(UserError):
    """A file that is no readable image; the message names it."""


def read_image(path: str | Path, size: int | None = None) -> Tensor:
    """(3, H, W) uint8 RGB pixels of an image file.

    Grey is repeated to three channels; transparency is laid upon white; 16 bits a channel are
    scaled to 8; CMYK and palettes are converted; the first frame of an animation is taken; an
    EXIF orientation is applied. With ``size``, the shorter side is resized to it (bilinear,
    antialiased) and the centre square is cut out.

    Raises:
        ImageError: the file is missing, truncated, not an image, or absurdly large.
    """
    try:
        data = Path(path).read_bytes()
        pixels = _plain_jpeg(data)
        if pixels is not None and (size is None or pixels.shape[1:] == (size, size)):
            return pixels
        with Image.open(io.BytesIO(data)) as opened:
            image = _rgb(ImageOps.exif_transpose(opened))
            if size is not None:
                image = _square(image, size)
            return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: not an image") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: unreadable image: {reason}") from error


def _plain_jpeg(data: bytes) -> Tensor | None:
    """The pixels of a JPEG file that needs decoding only, three times as fast as by Pillow.

    The pixels are the same, to the bit (a test compares them). Pillow is left what has other than
    three channels of 8 bits, an APP1 segment (EXIF may turn the image) or Adobe's (other colours),
    what is cut short, and what is suspiciously large.
    """
    if not data.startswith(b"\xff\xd8") or not data.endswith(b"\xff\xd9"):
        return None
    at = 2
    while data[at] == 0xFF and data[at + 1] not in _NOT_PLAIN:
        if data[at + 1] in _FRAME:
            precision, height, width, channels = struct.unpack(">BHHB", data[at + 4 : at + 10])
            if (precision, channels) != (8, 3) or height * width > _LARGE:
                return None
            return _decoded(data)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if at + 10 > len(data):
            return None
    return None


def _decoded(data: bytes) -> Tensor | None:
    from torchvision.io import ImageReadMode, decode_jpeg

    try:
        encoded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        pixels: Tensor = decode_jpeg(encoded, mode=ImageReadMode.RGB)
    except RuntimeError:
        return None  # Pillow says what is wrong with it
    return pixels


_FRAME = frozenset({0xC0, 0xC1, 0xC2})  # markers of baseline, extended and progressive frames
_NOT_PLAIN = frozenset({0xE1, 0xEE})
_LARGE = 1 << 26  # pixels


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit greyscale: plain conversion would clip, not scale
        values = np.asarray(image, dtype=np.float64) / 257
        image = Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(ground, rgba)
    return image.convert("RGB")


def _square(image: Image.Image, size: int) -> Image.Image:
    width, height = image.size
    if (width, height) == (size, size):
        return image
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box)


def read_images(paths: Sequence[str | Path], size: int | None = None) -> Tensor:
    """(N, 3, H, W) uint8 pixels of image files that share a size, or are brought to one.

    Raises:
        ImageError: a file is unreadable; the first such is named, with how many there are.
        UserError: without ``size``, two files differ in size; or all do not fit in memory.
    """
    if not paths:
        raise UserError("no images")
    first = read_image(paths[0], size)
    check_memory(len(paths), first)
    pixels = torch.empty((len(paths), *first.shape), dtype=torch.uint8)
    errors: list[ImageError] = []

    def read(index: int) -> None:
        try:
            image = read_image(paths[index], size)
        except ImageError as error:
            errors.append(error)
            return
        if image.shape != first.shape:
            here, there = ("x".join(map(str, i.shape[:0:-1])) for i in (image, first))
            errors.append(
                ImageError(f"{paths[index]}: {here} pixels, but {paths[0]} has {there}; set size")
            )
            return
        pixels[index] = image

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(read, range(len(paths))))
    if errors:
        worst = min(map(str, errors))
        more = f" ({len(errors) - 1} more like it)" if len(errors) > 1 else ""
        raise ImageError(worst + more)
    return pixels


def check_memory(count: int, image: Tensor) -> None:
    """Refuse what does not fit in memory, before it is tried.

    Raises:
        UserError: with the bytes needed and those free.
    """
    need = count * image.numel()
    free = _available()
    if need > free:
        raise UserError(
            f"{count} images need {need / 2**30:.1f} GiB decoded and {free / 2**30:.1f} GiB "
            "are free; use fewer images or a smaller size"
        )


def _available() -> int:
    """Bytes of memory that can be had without swapping; all of it where nobody says."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            fields = dict(line.split(":") for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def find_images(paths: Sequence[str | Path]) -> list[Path]:
    """The image files among ``paths``, and below those that are folders, in a stable order."""
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
        else:
            found.append(path)
    return found
