"""Errors of decoding, with the name of the image."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import UnidentifiedImageError

from adframe.data.region import RegionError
from adframe.errors import ImageMemoryError, UserError
from adframe.io.paths import AnyPath

_CODEC_MEMORY = "out of memory error"  # of Pillow's codecs


class ImageError(UserError):
    """Error for a file that is not a readable image; the message names the file."""


@contextmanager
def naming(path: AnyPath) -> Iterator[None]:
    """Turn any error of an image's decoder into one that names the image.

    Raises:
        ImageError: the image is unreadable.
        ImageMemoryError: memory is full.
    """
    try:
        yield
    except (ImageError, ImageMemoryError):
        raise
    except Exception as error:  # a decoder may raise anything for a damaged file
        if _memory_is_full(error):
            raise ImageMemoryError(str(path)) from error
        raise ImageError(_line(path, error)) from error


def _memory_is_full(error: Exception) -> bool:
    cause = error.__cause__ if isinstance(error, UserError) else error
    full = getattr(cause, "errno", None) == errno.ENOMEM or isinstance(cause, MemoryError)
    return full or (isinstance(cause, OSError) and _CODEC_MEMORY in str(cause))


def _line(path: AnyPath, error: Exception) -> str:
    if isinstance(error, UserError):  # it cannot be opened
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return f"{path}: not an image"
    if isinstance(error, RegionError):
        return f"{path}: {error}"
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{path}: unreadable image: {reason.splitlines()[0]}"
