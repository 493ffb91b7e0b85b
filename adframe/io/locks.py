"""Locks on folders: one process writes at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adframe.errors import UserError

_LOCKS: set[int] = set()


def _let_go() -> None:
    """A forked process, such as one that decodes images, must not hold on when a run is killed."""
    for descriptor in _LOCKS:
        os.close(descriptor)
    _LOCKS.clear()


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def lock_folder(folder: Path | None) -> Iterator[None]:
    """Make a folder, if need be, and keep other processes from writing into it meanwhile.

    The lock is the kernel's, on the folder itself: it ends with the process, however that ends,
    and leaves nothing behind. A file system without locks is used without one. Folders made here
    that are still empty in the end are taken away again.

    Raises:
        UserError: another process, or another run of this one, is at work in the folder; or it
            cannot be made.
    """
    if folder is None:
        yield
        return
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    descriptor = None
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise UserError(f"{folder}: cannot be made: {error.strerror or error}") from error
        _LOCKS.add(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{folder}: another process is at work in it") from error
        except OSError:  # as on some network file systems
            pass
        yield
    finally:
        if descriptor is not None:
            _LOCKS.discard(descriptor)
            os.close(descriptor)
        for path in made:
            with suppress(OSError):
                path.rmdir()
