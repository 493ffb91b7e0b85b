"""Writes files completely or not at all."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from adframe.errors import UserError
from adframe.io.read import read_bytes

#: Flags to create a file. Windows lacks some of them.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_NEW |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_LONGEST = 255 - len(f"..{uuid4().hex}.part")  # bytes of a name, so that a temporary one fits
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.part", re.DOTALL)


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing under a temporary name; at the end it is synced and renamed.

    The temporary name is random and must be new, so that two writers never share it, and nobody
    can place a link there.

    Args:
        path: name of the complete file. A link or any other special file is not replaced.

    Raises:
        UserError: the folder is read-only, the disk is full, ``path`` is no regular file, ...; an
            older file stays as it was.
    """
    temporary = temporary_for(path)
    try:
        check_regular(path)
        with os.fdopen(create(temporary), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:  # also an interrupt
        with suppress(OSError, ValueError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    _sync_folder(path.parent)


def temporary_for(path: Path) -> Path:
    """A new name next to a file, for its content until it is complete. No two are equal."""
    name = path.name
    while len(os.fsencode(name)) > _LONGEST:
        name = name[:-1]
    return path.with_name(f".{name}.{uuid4().hex}.part")


def create(path: Path) -> int:
    """Create a file for writing; fails if there is something of that name, also a link.

    Returns:
        the descriptor of the open file.

    Raises:
        OSError: it cannot be created.
    """
    return os.open(path, _NEW, 0o666)


def check_regular(path: Path) -> None:
    """Raise an error if something lies at a path that is no regular file.

    Raises:
        UserError: a link, a folder, a pipe or a device lies there; or no file can have the name.
    """
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except ValueError as error:  # a null character
        raise UserError(f"{path}: cannot be written: {error}") from error
    if not stat.S_ISREG(mode):
        raise UserError(f"{path}: is not a regular file; nothing is written there")


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of writers that were killed. Call it while nobody writes."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            if is_temporary(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    os.unlink(entry.path)


def is_temporary(name: str) -> bool:
    """Whether ``atomic_write`` gives such names to incomplete files."""
    return _TEMPORARY.fullmatch(name) is not None


def write(path: Path, data: bytes | str) -> None:
    """Write a complete file. Text is UTF-8; names of files keep the bytes they have on disk.

    Raises:
        UserError: as for ``atomic_write``.
    """
    with atomic_write(path) as file:
        file.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)


def _sync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename in it survives a power failure."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file with one key per line."""
    write(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is missing, too large, not a regular file, or not JSON.
    """
    data = read_bytes(path)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON: {error}") from error
