"""What every data set of image files shares: how they are decoded, and where that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from adframe import open_images
from adframe.interfaces import Dataset, Pixels

from .classes import Listing

Workers = Annotated[int, Interval(ge=0, le=256)] | Literal["auto"] | None


class FromFiles(Dataset):
    """Images that are files.

    Args:
        cache: Folder, none of class folders, to keep decoded images in, for what does not fit in
            memory or is read again and again: written at the first run, afterwards mapped into
            memory in place of decoding, and made anew where files have changed. Data sets may
            share it.
        workers: Processes that decode the images whenever they are needed, for what fits neither
            in memory nor in a cache; ``auto`` is one for each core, 8 at most. Without it all are
            decoded once, at the start.
    """

    size: int | None
    cache: Path | None
    workers: Workers
    skip_unreadable: bool = False

    def decode_as(self, size: int | None, cache: Path | None, workers: Workers) -> None:
        """Keep the options that say how to decode.

        Raises:
            ValueError: images are to be kept, and not to be kept.
        """
        if cache is not None and workers is not None:
            raise ValueError("cache keeps decoded images and workers keeps none; leave one out")
        self.size, self.workers = size, workers
        self.cache = None if cache is None else cache.expanduser()

    def decoded(self, paths: Sequence[str | Path]) -> tuple[Pixels, list[int]]:
        """Pixels of image files, and which of them they are."""
        skip, keep = self.skip_unreadable, {"cache": self.cache, "workers": self.workers}
        return open_images(paths, self.size, skip_unreadable=skip, **keep)

    def listed(self, files: Mapping[str, Sequence[Path]]) -> Listing:
        """Image files by class, decoded when they are read."""
        paths = [path for of_class in files.values() for path in of_class]
        of = [name for name, of_class in files.items() for _ in of_class]

        def read(rows: list[int]) -> tuple[Pixels, list[int]]:
            pixels, kept = self.decoded([paths[row] for row in rows])
            return pixels, [rows[position] for position in kept]

        return Listing(list(files), of, [str(path) for path in paths], read)
