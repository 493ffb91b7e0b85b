"""Common part of all data sets of image files: how they are decoded and cached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Unpack

from annotated_types import Interval
from torch import Tensor

from adframe import open_images, open_masks
from adframe.interfaces import Dataset, Fit, NoEffect, Pixels

from .classes import Classed, ClassOptions, Listing, Size

Workers = Annotated[Annotated[int, Interval(ge=0, le=256)] | Literal["auto"] | None, NoEffect()]
Depth = Annotated[int, Interval(ge=9, le=16)] | None
Edge = Annotated[int, Interval(ge=0, lt=1 << 16)]  # of a box, in pixels
Region = Path | tuple[Edge, Edge, Edge, Edge] | None


class FromFiles(Dataset):
    """Images that are files.

    Args:
        cache: Folder for decoded images. It must not hold class folders. Use it for data that does
            not fit in memory or is read often. The first run writes the cache; later runs map it
            into memory and decode nothing. It is rebuilt if files change. Data sets can share it.
        workers: Number of processes that decode images on demand, for data that fits neither in
            memory nor in a cache. ``auto`` takes one per core, at most 8. By default all images are
            decoded once, at the start.
        depth: Number of bits that grey values of more than 8 bits use, such as 12 for many cameras
            and scanners; 16 by default. A file with a larger value is an error.
        fit: [inferred: CSI's protocols crop] What becomes of an image of another shape than
            ``size``. ``crop`` cuts out its largest central part of that shape, ``squash`` stretches
            it, and ``pad`` shows all of it in the middle and repeats its edge around it.
        region: The part of each image that is seen, before ``fit`` and ``size``. Either a box in
            pixels, ``[top, left, bottom, right]``, or the file of a mask of the images' size, in
            which every value but 0 is in the region. The smallest box around the mask is cut out,
            and what it does not mark becomes grey. Nothing outside is seen or scored.
        draft: [guess: false] Whether the decoder of JPEG files may halve large pictures, once or
            several times, before they are resized. It is faster, and pixels differ a little.
    """

    cache: Path | None
    workers: Workers
    skip_unreadable: bool = False

    def decode_as(
        self,
        size: Size | None,
        cache: Path | None,
        workers: Workers,
        depth: Depth = None,
        fit: Fit = "crop",
        region: Region = None,
        draft: bool = False,
    ) -> None:
        """Stores the options of decoding.

        Raises:
            ValueError: both ``cache`` and ``workers`` are given, or a box holds no pixel.
        """
        if isinstance(region, tuple) and not (region[0] < region[2] and region[1] < region[3]):
            raise ValueError(
                f"region: must be [top, left, bottom, right] of a box, not {list(region)}"
            )
        if cache is not None and workers is not None:
            raise ValueError("cache and workers exclude each other; set only one of them")
        self.size, self.workers, self.depth, self.fit = size, workers, depth, fit
        self.region = region.expanduser() if isinstance(region, Path) else region
        self.draft = draft
        self.cache = None if cache is None else cache.expanduser()

    def decoded(self, paths: Sequence[str | Path]) -> tuple[Pixels, list[int]]:
        """Pixels of image files, and the indices of the files without the skipped ones."""
        return open_images(
            paths,
            self.size,
            depth=self.depth,
            fit=self.fit,
            region=self.region,
            draft=self.draft,
            skip_unreadable=self.skip_unreadable,
            cache=self.cache,
            workers=self.workers,
        )

    def listed(self, files: Mapping[str, Sequence[Path]]) -> Listing:
        """A listing of image files by class."""
        paths = [path for of_class in files.values() for path in of_class]
        of = [name for name, of_class in files.items() for _ in of_class]

        def read(rows: list[int]) -> tuple[Pixels, list[int]]:
            pixels, kept = self.decoded([paths[row] for row in rows])
            return pixels, [rows[position] for position in kept]

        def masks(rows: list[int], normal: Sequence[str]) -> Sequence[Tensor | None]:
            found: list[Path | Literal[False] | None] = [
                False if of[row] in normal else self.mask_of(paths[row], of[row]) for row in rows
            ]
            if not any(found):
                return ()
            images = [paths[row] for row in rows]
            return open_masks(found, images, self.size, fit=self.fit, region=self.region)

        return Listing(list(files), of, [str(path) for path in paths], read, masks)

    def mask_of(self, path: Path, of: str) -> Path | None:
        """The file of the mask of a test image with a defect; None if it is not known.

        Args:
            path: the image.
            of: its class.
        """
        return None


class DecodeOptions(ClassOptions, total=False):
    """Types of the options of ``ClassedFiles`` but ``size`` and ``fit``, for its subclasses."""

    cache: Path | None
    workers: Workers
    depth: Depth
    region: Region
    draft: bool


class FileOptions(DecodeOptions, total=False):
    """Types of the options of ``ClassedFiles`` but ``size``, for its subclasses."""

    fit: Fit


class ClassedFiles(FromFiles, Classed):
    """Images of several classes that are files."""

    def __init__(
        self,
        root: Path,
        size: Size | None = None,
        cache: Path | None = None,
        workers: Workers = None,
        depth: Depth = None,
        fit: Fit = "crop",
        region: Region = None,
        draft: bool = False,
        **options: Unpack[ClassOptions],
    ) -> None:
        Classed.__init__(self, root, **options)
        self.decode_as(size, cache, workers, depth, fit, region, draft)
