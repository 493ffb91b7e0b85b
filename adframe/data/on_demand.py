"""Image files in place of pixels: decoded whenever they are asked for, ahead by processes."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from adframe.data.decode import ImageError, attempt, decoded
from adframe.data.lazy import LazyImages
from adframe.io.paths import AnyPath

MOST_WORKERS = 8  # unless told otherwise; a guess


class LazyImageFiles(LazyImages):
    """Readable image files of one size, or brought to one.

    Args:
        paths: the files.
        size: as for ``read_image``.
        shape: of all of them decoded, (N, 3, H, W).
        workers: processes that decode the next batches meanwhile; with 0 they are decoded when
            they are asked for, in this process.
    """

    def __init__(
        self, paths: Sequence[str], size: int | None, shape: Sequence[int], workers: int
    ) -> None:
        self._paths, self._size, self._workers = paths, size, workers
        self.shape = torch.Size(shape)

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """These images decoded, by threads.

        Raises:
            ImageError: a file is not what it was when it was first read.
        """
        pixels = torch.empty(len(rows), *self.shape[1:], dtype=torch.uint8)
        paths = [self._paths[row] for row in rows.tolist()]
        for index, image in decoded(paths, self._size) if paths else ():
            pixels[index] = self._same(paths[index], image)
        return pixels

    def subset(self, rows: Tensor) -> LazyImageFiles:
        """Some of these files."""
        paths = [self._paths[row] for row in rows.tolist()]
        return LazyImageFiles(paths, self._size, [len(paths), *self.shape[1:]], self._workers)

    def batches(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """``index_select`` of each item of ``order``, two batches of each worker ahead.

        Raises:
            ImageError: as for ``index_select``.
        """
        loader: DataLoader[str] = DataLoader(
            self._paths,  # type: ignore[arg-type]  # what it needs of a data set, a list has
            batch_sampler=[rows.tolist() for rows in order],
            num_workers=self._workers,
            collate_fn=self._decode,
            worker_init_fn=_leave_signals,
            generator=torch.Generator(),  # not the global one, whose state is the run's
        )
        for batch in loader:
            if isinstance(batch, ImageError):
                raise batch
            yield batch

    def _decode(self, paths: list[str]) -> Tensor | ImageError:
        """A batch, in a worker. An error is returned: raised, it would come as a traceback."""
        pixels = torch.empty(len(paths), *self.shape[1:], dtype=torch.uint8)
        try:
            for row, path in zip(pixels, paths, strict=True):
                row.copy_(self._same(path, attempt(path, self._size)))
        except ImageError as error:
            return error
        return pixels

    def _same(self, path: str, image: Tensor | ImageError) -> Tensor:
        if isinstance(image, ImageError):
            raise image
        if image.shape != self.shape[1:]:
            raise ImageError(f"{path}: is of another size than when it was first read")
        return image


def on_demand(
    paths: Sequence[AnyPath], size: int | None, skip_unreadable: bool, workers: int | None
) -> tuple[LazyImageFiles, list[int]]:
    """Image files to be decoded when they are asked for, and which of the paths they are.

    Each is decoded once now, so that a bad one is found before it is needed; none is kept.

    Args:
        paths, size: as for ``read_images``.
        skip_unreadable: leave unreadable files out, with a warning.
        workers: as for ``LazyImageFiles``; None: one for each core, 8 at most.

    Raises:
        ImageError, UserError: as for ``read_images``.
    """
    digest, shape, kept = hashlib.sha256(), torch.Size(), list[int]()
    for index, image in decoded(paths, size, skip_unreadable):
        digest.update(image.contiguous().numpy().data)
        kept.append(index)
        shape = image.shape
    if workers is None:
        workers = min(MOST_WORKERS, _cores())
    files = LazyImageFiles([str(paths[row]) for row in kept], size, [len(kept), *shape], workers)
    files.sha256 = digest.hexdigest()
    return files, kept


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _leave_signals(worker: int) -> None:
    """Ctrl-C and SIGTERM may reach every process of a group: the run heeds them, not its workers.

    A second SIGTERM ends a worker, as the interpreter's exit may want; so does the parent's end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.signal(number, signal.SIG_DFL))
