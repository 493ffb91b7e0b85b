"""Output that is written row by row: to a file, to a pipe or device, or to standard output."""

from __future__ import annotations

import csv
import errno
import io
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from adframe.errors import UserError
from adframe.io.atomic import create, temporary_for
from adframe.io.terminal import clean

Output = TextIO | io.TextIOBase


class RowWriter:
    """Writes rows of CSV that can be read again, also if a cell has a carriage return."""

    def __init__(self, stream: Output) -> None:
        self._plain = csv.writer(stream, lineterminator="\n")
        self._quoted = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def writerow(self, row: Iterable[Any]) -> None:
        """Write one row."""
        cells = list(row)
        bare = any("\r" in str(cell) for cell in cells)  # which older Pythons do not quote
        (self._quoted if bare else self._plain).writerow(cells)

    def writerows(self, rows: Iterable[Iterable[Any]]) -> None:
        """Write several rows."""
        for row in rows:
            self.writerow(row)


@contextmanager
def open_rows(path: Path | None) -> Iterator[Output]:
    """Open the output of a command: UTF-8 text, in which file names keep the bytes they have.

    - None is standard output. On a terminal, control characters are shown as escapes.
    - A regular file appears when it is complete. Until then it has a temporary name next to it.
      After an interrupt or an error, the rows so far are in ``FILE.part``.
    - A link to a regular file stays a link; the file it leads to is replaced.
    - A pipe or a device is written as it is. A pipe needs a reader.

    Raises:
        UserError: the file cannot be written; this is known before anything is written.
    """
    if path is None:
        yield _standard_output()
        return
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error
    place = _regular(path) if stat.S_ISREG(mode) else _special(path, mode)
    with place as file:
        yield file


@contextmanager
def _regular(path: Path) -> Iterator[TextIO]:
    target = Path(os.path.realpath(path))  # a link stays a link
    part, left = temporary_for(target), target.with_name(f"{target.name}.part")
    started = False
    try:
        with _text(create(part)) as file:
            try:
                yield file
            finally:
                file.flush()
                started = file.tell() > 0
            os.fsync(file.fileno())
        part.replace(target)
        with suppress(OSError):  # also a name that is too long
            if stat.S_ISREG(os.lstat(left).st_mode):  # of an earlier interrupt
                left.unlink()
    except BaseException as error:
        with suppress(OSError):
            part.replace(left) if started else part.unlink()
        if not isinstance(error, OSError):
            raise
        raise _refused(path, error) from error


@contextmanager
def _special(path: Path, mode: int) -> Iterator[TextIO]:
    try:
        if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
            raise IsADirectoryError(errno.EISDIR, "is not a file")
        descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe: no wait
        os.set_blocking(descriptor, True)
        with _text(descriptor) as file:
            yield file
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise UserError(f"{path}: cannot be written: no process reads this pipe") from error
        raise _refused(path, error) from error


def _text(descriptor: int) -> TextIO:
    return open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="")


def _refused(path: Path, error: Exception) -> UserError:
    link = f" is a link to {os.path.realpath(path)}, which" if os.path.islink(path) else ""
    why = getattr(error, "strerror", None) or error
    return UserError(f"{path}:{link} cannot be written: {why}")


def _standard_output() -> Output:
    if sys.stdout.isatty():
        return _Clean(sys.stdout)
    with suppress(AttributeError, io.UnsupportedOperation):  # a stream that is no file
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    return sys.stdout


class _Clean(io.TextIOBase):
    """Standard output on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        return self.stream.write(clean(text))

    def flush(self) -> None:
        self.stream.flush()
