"""Locks on folders: one process writes at a time, on every system."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from adframe.errors import UserError

LOCK = ".lock"  #: name of the lock file; it lies in the folder while the folder is locked


@contextmanager
def lock_folder(folder: Path | None, on_wait: Callable[[], None] | None = None) -> Iterator[bool]:
    """Make a folder if it is missing, and lock it against other processes and other threads.

    The operating system holds the lock, so it ends with the process, however that ends. A forked
    process, such as one that decodes images, does not keep it. At the end the lock file is
    removed. Folders made here that are still empty are removed too, unless others may wait.

    Args:
        folder: what to lock; nothing happens if it is None.
        on_wait: wait for another process to end, and call this first; without it a folder in use
            is an error.

    Yields:
        Whether the folder is locked; false on a file system without locks.

    Raises:
        UserError: another process uses the folder, or the folder cannot be written.
    """
    if folder is None:
        yield False
        return
    made = [path for path in (folder, *folder.parents) if not os.path.exists(path) and not on_wait]
    lock = FileLock(folder / LOCK, fallback_to_soft=False)
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _acquire(lock, on_wait)
        except Timeout as error:
            raise UserError(f"{folder}: another process is using this folder") from error
        except OSError as error:
            if error.filename is not None:  # the lock file cannot be opened; else, not be locked
                raise UserError(f"{folder}: cannot be written: {error.strerror}") from error
            _remove(folder / LOCK)
        yield lock.is_locked
    finally:
        if lock.is_locked:
            _remove(folder / LOCK)  # before the release: whoever opened this file takes a new one
            lock.release()
        for path in made:
            with suppress(OSError):
                path.rmdir()


def _acquire(lock: BaseFileLock, on_wait: Callable[[], None] | None) -> None:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if on_wait is None:
            raise
        on_wait()
        lock.acquire()


def _remove(path: Path) -> None:
    with suppress(OSError):  # Windows removes it at the release
        path.unlink()
