"""Image files that are decoded each time they are needed, ahead of time by worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from adframe.data.ahead import attempt, decoded
from adframe.data.decode import ImageError
from adframe.data.lazy import LazyImages, as_digests, digest_of
from adframe.data.reading import ReadAs
from adframe.data.workers import belong_to, watched_workers
from adframe.errors import ImageMemoryError
from adframe.io.paths import AnyPath

MAX_WORKERS = 8  # of ``workers: auto``; a guess


class LazyImageFiles(LazyImages):
    """Readable image files that share a size, or are resized to one.

    Args:
        paths: the files.
        reading: how they are read.
        shape: shape of all decoded images, (N, 3, H, W).
        workers: number of processes that decode the next batches; 0 decodes in this process.
        digests: of the decoded images, as from ``image_digests``.
    """

    digests: np.ndarray

    def __init__(
        self,
        paths: Sequence[str],
        reading: ReadAs,
        shape: Sequence[int],
        workers: int,
        digests: np.ndarray,
    ) -> None:
        self._paths, self._reading, self._workers = paths, reading, workers
        self.shape, self.digests = torch.Size(shape), digests

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Decodes these images in threads.

        Raises:
            ImageError: a file is unreadable now, or has another size than at first.
        """
        pixels = torch.empty(len(rows), *self.shape[1:], dtype=torch.uint8)
        paths = [self._paths[row] for row in rows.tolist()]
        for index, image in decoded(paths, self._reading) if paths else ():
            pixels[index] = self._same(paths[index], image)
        return pixels

    def subset(self, rows: Tensor) -> LazyImageFiles:
        """Selects some of these files, without reading them."""
        paths = [self._paths[row] for row in rows.tolist()]
        shape = [len(paths), *self.shape[1:]]
        digests = self.digests[rows.numpy()]
        return LazyImageFiles(paths, self._reading, shape, self._workers, digests)

    def batches(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yields the images of each item of ``order``; workers decode two batches ahead.

        Raises:
            ImageError: as for ``index_select``.
            ProcessLost: a worker has ended.
        """
        loader: DataLoader[str] = DataLoader(
            self._paths,  # type: ignore[arg-type]  # a list has the methods it calls
            batch_sampler=[rows.tolist() for rows in order],
            num_workers=self._workers,
            collate_fn=self._decode,
            worker_init_fn=partial(belong_to, os.getpid()),
            generator=torch.Generator(),  # the global one belongs to the run
        )
        with watched_workers(loader) as batches:
            for batch in batches:
                if isinstance(batch, Exception):
                    raise batch
                yield batch

    def _decode(self, paths: list[str]) -> Tensor | ImageError | ImageMemoryError:
        """Decodes a batch in a worker. Returns errors, because a raised one prints a traceback."""
        pixels = torch.empty(len(paths), *self.shape[1:], dtype=torch.uint8)
        try:
            for row, path in zip(pixels, paths, strict=True):
                row.copy_(self._same(path, attempt(path, self._reading)))
        except (ImageError, ImageMemoryError) as error:
            return error
        return pixels

    def _same(self, path: str, image: Tensor | ImageError) -> Tensor:
        if isinstance(image, ImageError):
            raise image
        if image.shape != self.shape[1:]:
            raise ImageError(f"{path}: its size changed since it was first read")
        return image


def on_demand(
    paths: Sequence[AnyPath], reading: ReadAs, skip_unreadable: bool, workers: int | None
) -> tuple[LazyImageFiles, list[int]]:
    """Opens image files for decoding on demand; also returns their indices in ``paths``.

    Each file is decoded once now, so that unreadable files are found at the start.

    Args:
        paths, reading: the files, and how they are read.
        skip_unreadable: skip unreadable files, with a warning.
        workers: as for ``LazyImageFiles``; None is one for each core, at most 8.

    Raises:
        ImageError, UserError: as for ``read_images``.
    """
    digests, shape, kept = bytearray(), torch.Size(), list[int]()
    for index, image in decoded(paths, reading, skip_unreadable):
        digests += digest_of(image)
        kept.append(index)
        shape = image.shape
    if workers is None:
        workers = min(MAX_WORKERS, _cores())
    names = [str(paths[row]) for row in kept]
    whole = [len(kept), *shape]
    return LazyImageFiles(names, reading, whole, workers, as_digests(digests)), kept


def _cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
