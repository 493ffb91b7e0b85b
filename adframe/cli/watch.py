"""Scores what arrives in folders, each image once; its CSV file is the memory of what is done."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adframe.data.find import arrivals
from adframe.data.image_errors import ImageError
from adframe.detector import Detector
from adframe.errors import UserError
from adframe.io.read import MAX_BYTES, read_bytes
from adframe.io.rows import RowWriter
from adframe.io.terminal import error_line

INTERVAL = 1.0  # seconds between two looks into the folders
Row = Callable[[float], Sequence[Any]]  #: the cells after the path, from a score


def watch(
    detector: Detector,
    folders: Sequence[Path],
    out: Path,
    header: Sequence[str],
    row: Row,
    interval: float = INTERVAL,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Append a row to a CSV file for each image that arrives, until it is interrupted.

    A file is read once it has kept its size and time for an interval. An image is done when its
    row is on the disk; the row of an unreadable one has no score. An image that is replaced later
    under the same name is not scored again.

    Args:
        detector: scores the images.
        folders: folders to watch, at any depth.
        out: the CSV file, which may hold rows of an earlier watch.
        header: the columns.
        row: gives the cells of a score.
        interval: seconds between two looks into the folders.
        stopped: called between two looks; true ends the watch.

    Raises:
        UserError: a folder cannot be read, or the file is not one of a watch with these columns.
    """
    with _journal(out, header) as (done, write):
        before: dict[Path, tuple[int, int]] = {}
        while not stopped():
            now = dict(_stamps(path for path in arrivals(folders) if str(path) not in done))
            settled = [path for path, stamp in now.items() if before.get(path) == stamp]
            for path, result in detector.score_files(settled):
                done.add(str(path))
                if isinstance(result, ImageError):
                    error_line(result)
                    write([path, *[""] * (len(header) - 1)])
                else:
                    write([path, *row(result)])
            before = now
            time.sleep(interval)


def _stamps(paths: Iterator[Path]) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Each file that is still there, with its size and time."""
    for path in paths:
        try:
            facts = os.stat(path)
        except OSError:
            continue
        yield path, (facts.st_size, facts.st_mtime_ns)


@contextmanager
def _journal(
    out: Path, header: Sequence[str]
) -> Iterator[tuple[set[str], Callable[[Sequence[Any]], None]]]:
    """The paths that a CSV file holds already, and a function that appends a row for good.

    Raises:
        UserError: the file cannot be written, or has other columns.
    """
    rows, whole = _rows(out)
    if rows and rows[0] != list(header):
        raise UserError(f"{out}: has other columns than {','.join(header)}; choose another --out")
    try:
        file = open(out, "a", encoding="utf-8", errors="surrogateescape", newline="")  # noqa: SIM115
        file.truncate(whole)
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror or error}") from error
    with file:
        writer = RowWriter(file)

        def write(row: Sequence[Any]) -> None:
            writer.writerow(row)
            file.flush()
            os.fsync(file.fileno())

        if not rows:
            write(header)
        yield {row[0] for row in rows[1:] if row}, write


def _rows(out: Path) -> tuple[list[list[str]], int]:
    """The whole rows of a CSV file, and the bytes that they take: a kill may have cut the last."""
    if not os.path.lexists(out):
        return [], 0
    data = read_bytes(out, MAX_BYTES)
    end = data.rfind(b"\n") + 1
    while end and data[:end].count(b'"') % 2:  # inside of a quoted cell
        end = data.rfind(b"\n", 0, end - 1) + 1
    text = data[:end].decode("utf-8", "surrogateescape")
    return list(csv.reader(io.StringIO(text, newline=""))), end
