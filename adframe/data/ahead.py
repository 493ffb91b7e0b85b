"""Reads many image files in order, a little ahead of their use."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from typing import TypeVar

import torch
from torch import Tensor

from adframe.data.decode import read_image
from adframe.data.image_errors import ImageError
from adframe.data.reading import ReadAs
from adframe.errors import UserError
from adframe.io.paths import AnyPath

Result = TypeVar("Result")

AT_ONCE = 8  # images that a thread decodes in one go
TINY = 2560  # bytes of a file below which threads do not pay: docs/performance/notes.md

logger = logging.getLogger("adframe")


def decoded(
    paths: Sequence[AnyPath], reading: ReadAs, skip_unreadable: bool = False
) -> Iterator[tuple[int, Tensor]]:
    """Index and (3, H, W) uint8 pixels of each image file, in order, decoded ahead by threads.

    Memory does not grow with the number of files.

    Raises:
        ImageError: files are unreadable; raised by ``report_unreadable`` after the last file.
        UserError: without ``size``, two files differ in size; or there are no files.
    """
    if not paths:
        raise UserError("no images")
    errors: list[ImageError] = []
    first: tuple[AnyPath, torch.Size] | None = None
    for index, image in enumerate(attempt_all(paths, reading)):
        if isinstance(image, ImageError):
            errors.append(image)
            continue
        like, shape = first = first or (paths[index], image.shape)
        if image.shape != shape:
            here, there = ("x".join(map(str, each[:0:-1])) for each in (image.shape, shape))
            raise UserError(f"{paths[index]}: {here} pixels, but {like} has {there}; set size")
        yield index, image
    report_unreadable(errors, len(paths), skip_unreadable)


def attempt_all(paths: Iterable[AnyPath], reading: ReadAs) -> Iterator[Tensor | ImageError]:
    """The pixels of image files in order, decoded a little ahead by threads.

    Whether threads pay is decided by the size of the first files.

    Yields:
        (3, H, W) uint8 of each file, as from ``read_image``; or the error, if it is unreadable.
    """
    return each_read(paths, partial(read_image, reading=reading))


def each_read(
    paths: Iterable[AnyPath], read: Callable[[AnyPath], Result]
) -> Iterator[Result | ImageError]:
    """What a function reads of each file in order, a little ahead by threads; or the error."""

    def several(some: list[AnyPath]) -> list[Result | ImageError]:
        return [_tried(path, read) for path in some]

    rest = iter(paths)
    some = list(islice(rest, AT_ONCE))
    if _tiny(some):
        yield from (_tried(path, read) for path in chain(some, rest))
        return
    threads = os.cpu_count() or 1
    waiting: deque[Future[list[Result | ImageError]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        while some:
            waiting.append(pool.submit(several, some))
            if len(waiting) > 2 * threads:
                yield from waiting.popleft().result()
            some = list(islice(rest, AT_ONCE))
        while waiting:
            yield from waiting.popleft().result()


def _tiny(paths: Sequence[AnyPath]) -> bool:
    with suppress(OSError, ValueError):  # a missing file is reported when it is opened
        return sum(map(os.path.getsize, paths)) < TINY * len(paths)
    return False


def attempt(path: AnyPath, reading: ReadAs) -> Tensor | ImageError:
    """Call ``read_image``, but return an error without its traceback, which holds memory."""
    return _tried(path, partial(read_image, reading=reading))


def _tried(path: AnyPath, read: Callable[[AnyPath], Result]) -> Result | ImageError:
    try:
        return read(path)
    except ImageError as error:
        return ImageError(str(error))


def report_unreadable(errors: Sequence[ImageError], count: int, skip_unreadable: bool) -> None:
    """Report the unreadable ones of ``count`` files: raises, or logs a warning.

    Raises:
        ImageError: names the first of ``errors`` and counts the others. With ``skip_unreadable``
            this is a warning, unless no file is readable.
    """
    if not errors:
        return
    more = f" ({len(errors) - 1} more like it)" if len(errors) > 1 else ""
    if not skip_unreadable or len(errors) == count:
        raise ImageError(f"{errors[0]}{more}")
    logger.warning("skipped unreadable files, %d of %d: %s%s", len(errors), count, errors[0], more)
