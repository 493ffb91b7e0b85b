"""Reads files of limited size; never waits for a pipe and never reads a device."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from adframe.errors import UserError

#: Do not wait for the writer of a pipe. Windows lacks the flag, and has another.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
MAX_BYTES = 1 << 28  #: of any file that is read whole, 256 MiB; tensors excepted


@contextmanager
def open_regular(
    path: str | os.PathLike[str], name: str | None = None, pipes: bool = False
) -> Iterator[BinaryIO]:
    """Open a regular file, or a link to one, for reading.

    Args:
        path: the file.
        name: what errors call the file; its path by default.
        pipes: open a pipe too, and wait for what comes from it.

    Raises:
        UserError: the file is missing or unreadable; or a folder, a pipe or a device.
    """
    name = os.fspath(path) if name is None else name
    try:
        descriptor = os.open(path, os.O_RDONLY | _AT_ONCE)
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise UserError(f"{name}: {getattr(error, 'strerror', None) or error}") from error
    mode = os.fstat(descriptor).st_mode
    if pipes and stat.S_ISFIFO(mode):
        os.set_blocking(descriptor, True)
    elif not stat.S_ISREG(mode):
        os.close(descriptor)
        raise UserError(f"{name}: is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        try:
            yield file
        except OSError as error:
            raise UserError(f"{name}: {error.strerror or error}") from error


def read_bytes(
    path: str | os.PathLike[str],
    limit: int = MAX_BYTES,
    name: str | None = None,
    pipes: bool = False,
) -> bytes:
    """Read a regular file whole.

    Args:
        path: the file.
        limit: the most bytes that it may have.
        name: what errors call the file; its path by default.
        pipes: read a pipe too, as of ``<(command)`` in a shell.

    Raises:
        UserError: as for ``open_regular``; or the file is larger, or nothing came from a pipe.
    """
    name = os.fspath(path) if name is None else name
    with open_regular(path, name, pipes) as file:
        facts = os.fstat(file.fileno())
        size = facts.st_size
        data = file.read(limit + 1) if size <= limit else b""
    if not data and stat.S_ISFIFO(facts.st_mode):
        raise UserError(f"{name}: is a pipe, and nothing came from it")
    if size > limit or len(data) > limit:
        raise UserError(f"{name}: too large; it has more than {limit} bytes")
    return data


def read_text(path: str | os.PathLike[str], limit: int = MAX_BYTES) -> str:
    """Read a regular file of UTF-8 text whole; other bytes, as in names of files, are kept.

    Raises:
        UserError: as for ``read_bytes``.
    """
    return read_bytes(Path(path), limit).decode("utf-8", "surrogateescape")


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a regular file of any size.

    Raises:
        UserError: as for ``open_regular``.
    """
    with open_regular(path) as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()
