"""Image files as uint8 tensors, every kind of file in one documented way."""

from __future__ import annotations

import math
import os
import struct
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from adframe.errors import Note, UserError

MOST_PIXELS = 89_478_485  # of one image, as Pillow has it: what is larger is a bomb or a mistake
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm"})

# Images that large are refused by their size; Pillow need not say so too, in its own words.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class ImageError(UserError):
    """A file that is no readable image; the message names it."""


def read_image(path: str | Path, size: int | None = None) -> Tensor:
    """(3, H, W) uint8 RGB pixels of an image file.

    Grey is repeated to three channels; transparency is laid upon white; 16 bits a channel are
    scaled to 8; CMYK and palettes are converted; the first frame of an animation is taken; an
    EXIF orientation is applied. With ``size``, the shorter side is resized to it (bilinear,
    antialiased) and the centre square is cut out.

    Raises:
        ImageError: the file is missing, truncated, not an image, or of more than 89 megapixels.
    """
    try:
        pixels = _plain_jpeg(path, size)
        if pixels is not None:
            return pixels
        with Image.open(path) as opened:
            if math.prod(opened.size) > MOST_PIXELS:
                wide, high = opened.size
                raise ImageError(f"{path}: {wide}x{high} pixels are too many; shrink it")
            ImageOps.exif_transpose(opened, in_place=True)
            image = _rgb(opened)
            if size is not None:
                image = _square(image, size)
            return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: not an image") from error
    except Exception as error:  # a decoder may raise whatever it likes on a damaged file
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ImageError(f"{path}: unreadable image: {reason.splitlines()[0]}") from error


def _plain_jpeg(path: str | Path, size: int | None = None) -> Tensor | None:
    """The pixels of a JPEG file that needs decoding only, three times as fast as by Pillow.

    The pixels are the same, to the bit (a test compares them). Pillow is left what has other than
    three channels of 8 bits, an APP1 segment (EXIF may turn the image) or Adobe's (other colours),
    what is cut short, what is suspiciously large, and what is not of the size asked for.
    """
    with open(path, "rb") as file:
        data = file.read(2)
        if data != b"\xff\xd8":
            return None
        data += file.read()
    shape = _plain_shape(data) if data.endswith(b"\xff\xd9") else None
    if shape is None or math.prod(shape) > MOST_PIXELS:
        return None
    return _decoded(data) if size is None or shape == (size, size) else None


def _plain_shape(data: bytes) -> tuple[int, int] | None:
    """Height and width that a plain JPEG's header says."""
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF and data[at + 1] not in _NOT_PLAIN:
        if data[at + 1] in _FRAME:
            precision, height, width, channels = struct.unpack(">BHHB", data[at + 4 : at + 10])
            return (height, width) if (precision, channels) == (8, 3) else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
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


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit greyscale: plain conversion would clip, not scale
        values = np.asarray(image, dtype=np.float64) / 257
        image = Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(ground, rgba)
    return image if image.mode == "RGB" else image.convert("RGB")


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
    pixels, errors = _read_all(paths, size)
    if errors:
        raise ImageError(_summary(errors))
    return pixels


def readable_images(
    paths: Sequence[str | Path], size: int | None = None
) -> tuple[Tensor, list[int]]:
    """As ``read_images``, but unreadable files are left out, with a warning that counts them.

    Returns:
        (N, 3, H, W) uint8 pixels, and which of the paths they are.

    Raises:
        ImageError: no file is readable.
        UserError: as for ``read_images``.
    """
    pixels, errors = _read_all(paths, size)
    if not errors:
        return pixels, list(range(len(paths)))
    if len(errors) == len(paths):
        raise ImageError(_summary(errors))
    warnings.warn(Note(f"left out of {len(paths)}: {_summary(errors)}"), stacklevel=2)
    kept = [index for index in range(len(paths)) if index not in errors]
    return pixels[kept], kept


def _summary(errors: dict[int, ImageError]) -> str:
    more = f" ({len(errors) - 1} more like it)" if len(errors) > 1 else ""
    return f"{errors[min(errors)]}{more}"


def _read_all(
    paths: Sequence[str | Path], size: int | None
) -> tuple[Tensor, dict[int, ImageError]]:
    """Pixels of every file, undefined where it could not be read, and why not, by index."""
    if not paths:
        raise UserError("no images")
    errors: dict[int, ImageError] = {}

    def read(index: int) -> Tensor | None:
        try:
            return read_image(paths[index], size)
        except ImageError as error:
            errors[index] = error
            return None

    readable = ((index, read(index)) for index in range(len(paths)))
    start, first = next(((i, image) for i, image in readable if image is not None), (0, None))
    if first is None:
        return torch.empty(0), errors
    check_memory(len(paths), first)
    pixels = torch.empty((len(paths), *first.shape), dtype=torch.uint8)
    pixels[start] = first
    other: dict[int, UserError] = {}

    def fill(index: int) -> None:
        image = read(index)
        if image is not None and image.shape != first.shape:
            here, there = ("x".join(map(str, i.shape[:0:-1])) for i in (image, first))
            said = f"{paths[index]}: {here} pixels, but {paths[start]} has {there}; set size"
            other[index] = UserError(said)
        elif image is not None:
            pixels[index] = image

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, range(start + 1, len(paths))))
    if other:
        raise other[min(other)]
    return pixels, errors


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
            found += sorted(p for p in path.rglob("*") if _may_be_image(p))
        else:
            found.append(path)
    return found


def _may_be_image(path: Path) -> bool:
    """Whether to try a file; a link that leads nowhere is tried, and so named."""
    return path.suffix.lower() in SUFFIXES and (path.is_file() or path.is_symlink())
