"""A cache of decoded images: a file of pixels that is mapped into memory.

The format is safetensors: ``pixels`` (K, 3, H, W) uint8, and ``readable`` (N,) uint8, which is 1
for each of the N image files whose pixels the cache holds. The header holds a digest of the sources
(names, sizes and times of the image files, decoder versions). A cache file is rebuilt if its
sources changed or if it is damaged. Cache files may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from adframe.data.ahead import attempt, decoded, report_unreadable
from adframe.data.decode import RULES, ImageError
from adframe.data.reading import ReadAs
from adframe.errors import UserError
from adframe.io.atomic import atomic_write
from adframe.io.locks import lock_folder
from adframe.io.paths import AnyPath

HEADER = 4096  # bytes; a page, so that pixels begin at one

logger = logging.getLogger("adframe")


class _Found(NamedTuple):
    pixels: Tensor
    kept: list[int]
    errors: list[ImageError]


def mapped(
    paths: Sequence[AnyPath], reading: ReadAs, skip_unreadable: bool, folder: Path
) -> tuple[Tensor, list[int]]:
    """Pixels of image files from the cache in ``folder``, which is built if it is missing.

    Memory does not grow with the number of images. One process builds at a time; another process
    waits, and then uses the finished file.

    Returns:
        (K, 3, H, W) uint8 pixels, mapped into memory (writing to them does not change the file);
        and the index of each image in ``paths``.

    Raises:
        ImageError, UserError: as for ``read_images``; or the folder cannot be written, or its disk
            is full.
    """
    places = [os.path.abspath(path) for path in paths]
    name = hashlib.sha256(json.dumps([places, reading.key]).encode()).hexdigest()[:32]
    path, made_of = folder / f"{name}.safetensors", _made_of(places)
    found = _open(path, made_of, paths, reading)
    if found is None:
        with _building(folder):
            found = _open(path, made_of, paths, reading, warn=True)
            if found is None:
                _build(path, made_of, paths, reading, skip_unreadable)
                found = _open(path, made_of, paths, reading)
                if found is None:
                    raise UserError(f"{path}: changed while the cache was built; run again")
                return found.pixels, found.kept
    report_unreadable(found.errors, len(paths), skip_unreadable)
    return found.pixels, found.kept


def _made_of(places: Sequence[str]) -> str:
    """SHA-256 of all that the pixels depend on: files with size and time, decoders.

    The options are part of the name of the cache file.
    """
    versions = [importlib.metadata.version(name) for name in ("pillow", "torchvision")]
    digest = hashlib.sha256(json.dumps([RULES, versions]).encode())
    for place in places:
        try:
            facts = os.stat(place)
            known = [place, facts.st_size, facts.st_mtime_ns]
        except OSError:  # the error is reported when the file is read
            known = [place]
        digest.update(json.dumps(known).encode())
    return digest.hexdigest()


def _open(
    path: Path,
    made_of: str,
    paths: Sequence[AnyPath],
    reading: ReadAs,
    warn: bool = False,
) -> _Found | None:
    """Open a cache file; None if it is missing, outdated or damaged.

    Image files that were unreadable are tried again. If one is readable now, the result is None.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["adframe"])
            pixels, readable = file.get_tensor("pixels"), file.get_tensor("readable")
        counts = len(readable), int(readable.sum())
        if counts != (len(paths), len(pixels)) or list(pixels.shape) != facts["shape"]:
            raise ValueError("the header does not match the files")
        outdated = facts["made_of"] != made_of
    except (SafetensorError, OSError, RuntimeError, ValueError, LookupError, TypeError):
        if warn:
            logger.warning("%s: damaged cache file; it is built again", path)
        return None
    if outdated:
        return None
    tried = [
        attempt(paths[row], reading) for row in torch.nonzero(readable == 0).flatten().tolist()
    ]
    errors = [error for error in tried if isinstance(error, ImageError)]
    kept = torch.nonzero(readable).flatten().tolist()
    return _Found(pixels, kept, errors) if len(errors) == len(tried) else None


def _build(
    path: Path,
    made_of: str,
    paths: Sequence[AnyPath],
    reading: ReadAs,
    skip_unreadable: bool,
) -> None:
    readable = torch.zeros(len(paths), dtype=torch.uint8)
    image = torch.empty(0)
    with atomic_write(path) as file:
        file.write(bytes(HEADER))
        for index, image in decoded(paths, reading, skip_unreadable):
            if not readable.any():
                _check_disk(path.parent, len(paths), image)
            file.write(image.contiguous().numpy().data)
            readable[index] = 1
        file.write(readable.numpy().data)
        file.seek(0)
        file.write(_header([int(readable.sum()), *image.shape], len(paths), made_of))


def _header(shape: Sequence[int], count: int, made_of: str) -> bytes:
    end = torch.Size(shape).numel()
    tensors = {"pixels": (shape, [0, end]), "readable": ([count], [end, end + count])}
    facts = json.dumps({"made_of": made_of, "shape": shape})
    text = json.dumps({
        "__metadata__": {"adframe": facts},
        **{
            name: {"dtype": "U8", "shape": shape, "data_offsets": offsets}
            for name, (shape, offsets) in tensors.items()
        },
    }).encode()  # fmt: skip
    return (HEADER - 8).to_bytes(8, "little") + text.ljust(HEADER - 8)


def _check_disk(folder: Path, count: int, image: Tensor) -> None:
    need, free = HEADER + count * (image.numel() + 1), shutil.disk_usage(folder).free
    if need > free:
        raise UserError(
            f"{folder}: {count} images need {need / 2**30:.1f} GiB decoded and "
            f"{free / 2**30:.1f} GiB are free on this disk"
        )


@contextmanager
def _building(folder: Path) -> Iterator[None]:
    """Lock a cache folder; waits while another process builds a cache in it."""

    def on_wait() -> None:
        logger.warning("%s: another process builds a cache here; waiting for it to end", folder)

    with lock_folder(folder, on_wait):
        yield
