"""Images to score: files, folders, files that list paths, and Parquet files of encoded images."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from adframe.data.encoded import BYTES, PATH, Encoded, Rows
from adframe.data.find import each_image
from adframe.errors import UserError
from adframe.io.listing import PARQUET, reading_parquet
from adframe.io.read import open_regular

LISTS = (".txt", ".csv", *PARQUET)  #: endings of the names of files that list images
AT_ONCE = 4096  # rows of a list in memory
Source = Path | Rows

logger = logging.getLogger("adframe")


def each_source(paths: Iterable[Path]) -> Iterator[Source]:
    """What there is to score, in order; memory does not grow with the number of images.

    A folder stands for its images; a ``.txt`` file for a path in each line; a ``.csv`` or Parquet
    file for the paths in its column ``path``, or a Parquet file for the encoded images in its
    column ``bytes``. Paths in a file are relative to its folder.

    Raises:
        UserError: a folder or list cannot be read, or a list has no such column.
    """
    waiting: list[Path] = []  # so that a folder that is named twice is searched once
    for path in paths:
        if path.suffix.lower() not in LISTS or path.is_dir():
            waiting.append(path)
            continue
        yield from each_image(waiting)
        waiting = []
        yield from _listed(path)
    yield from each_image(waiting)


def images_of(sources: Iterable[Source]) -> Iterator[Path | Encoded]:
    """Each image of sources: its path, or its content with a name.

    Raises:
        UserError: a Parquet file cannot be read.
    """
    for source in sources:
        if isinstance(source, Rows):
            yield from source.images()
        else:
            yield source


def count(source: Source) -> int:
    """Number of images of a source."""
    return len(source) if isinstance(source, Rows) else 1


def _listed(path: Path) -> Iterator[Source]:
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        yield from _of_parquet(path)
        return
    with open_regular(path) as file:
        lines = (line.decode("utf-8-sig", "surrogateescape") for line in file)
        if suffix == ".csv":
            yield from _paths(path, _column(path, lines))
        else:
            yield from (path.parent / name for name in map(_stripped, lines) if name)


def _paths(table: Path, names: Iterable[str | None]) -> Iterator[Path]:
    empty = 0
    for name in names:
        if name:
            yield table.parent / str(name)
        else:
            empty += 1
    if empty:
        logger.warning("%s: passed over %d rows without a path", table, empty)


def _stripped(line: str) -> str:
    return line.rstrip("\r\n")


def _column(path: Path, lines: Iterable[str]) -> Iterator[str]:
    rows = csv.DictReader(lines)
    try:
        if PATH not in (rows.fieldnames or ()):
            raise UserError(f"{path}: has no column '{PATH}'")
        yield from (row[PATH] for row in rows)
    except csv.Error as error:
        raise UserError(f"{path}:{rows.line_num}: {error}") from error


def _of_parquet(path: Path) -> Iterator[Source]:
    with reading_parquet(str(path)) as parquet, parquet.ParquetFile(str(path)) as file:
        names = file.schema_arrow.names
        if BYTES in names:
            if file.metadata.num_rows:
                yield Rows(str(path), 0, file.metadata.num_rows)
            return
        if PATH not in names:
            raise UserError(f"{path}: has no column '{PATH}' or '{BYTES}'")
        batches = file.iter_batches(AT_ONCE, columns=[PATH])
        yield from _paths(path, (name for batch in batches for name in batch.column(0).to_pylist()))
