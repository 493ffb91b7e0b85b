"""Writes files completely or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from adframe.errors import UserError


@contextmanager
def atomic_write(path: Path, temporary: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file for writing under a temporary name; at the end it is synced and renamed.

    Args:
        path: name of the complete file.
        temporary: name until then, in the same folder; ``path`` with ``.part`` by default.

    Raises:
        UserError: the folder is read-only, the disk is full, ...; an older file stays as it was.
    """
    temporary = temporary or path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:  # also an interrupt
        with suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    _sync_folder(path.parent)


def write(path: Path, data: bytes | str) -> None:
    """Write a complete file.

    Raises:
        UserError: as for ``atomic_write``.
    """
    with atomic_write(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


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
        UserError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON: {error}") from error
