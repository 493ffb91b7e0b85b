"""Locks on folders: one process writes at a time, on every system."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from adframe.errors import UserError
from adframe.io.atomic import check_regular, remove_leftovers
from adframe.io.paths import make_folders

LOCK = ".lock"  #: name of the lock file; it lies in the folder while the folder is locked


class FolderInUse(UserError):  # noqa: N818
    """Error for a folder that another process has locked."""


class FolderLock:
    """The lock on a folder, or on none.

    Attributes:
        held: whether the folder is locked; false on a file system without locks.
    """

    def __init__(self, folder: Path | None = None, held: bool = False) -> None:
        self.folder, self.held = folder, held
        self._known = None if folder is None else _identity(folder)

    def check(self) -> None:
        """Raise an error if the folder was moved or replaced since it was locked.

        Raises:
            UserError: it was; another process may use the one that has its place.
        """
        if self.folder is not None and not self.same():
            raise UserError(
                f"{self.folder}: was moved or replaced while this process used it; "
                "nothing more is written"
            )

    def same(self) -> bool:
        """Whether the path still leads to the folder that was locked."""
        return self.folder is None or _identity(self.folder) == self._known


def _identity(folder: Path) -> tuple[int, int] | None:
    """Device and number of a folder: no two folders share both."""
    with suppress(OSError):
        facts = os.stat(folder)
        return facts.st_dev, facts.st_ino
    return None


@contextmanager
def lock_folder(
    folder: Path | None, on_wait: Callable[[], None] | None = None
) -> Iterator[FolderLock]:
    """Make a folder if it is missing, and lock it against other processes and other threads.

    The operating system holds the lock, so it ends with the process, however that ends. A forked
    process, such as one that decodes images, does not keep it. Incomplete files that killed
    processes left are removed. At the end the lock file is removed, and so are folders that were
    made here and are still empty, unless others may wait.

    Args:
        folder: what to lock; nothing happens if it is None.
        on_wait: wait for another process to end, and call this first; without it a folder in use
            is an error.

    Raises:
        FolderInUse: another process uses the folder.
        UserError: the folder cannot be written.
    """
    if folder is None:
        yield FolderLock()
        return
    made = [path for path in (folder, *folder.parents) if not os.path.exists(path) and not on_wait]
    lock, locked = FileLock(folder / LOCK, fallback_to_soft=False), FolderLock()
    try:
        try:
            make_folders(folder)
            check_regular(folder / LOCK)
            _acquire(lock, on_wait)
        except Timeout as error:
            raise FolderInUse(f"{folder}: another process is using this folder") from error
        except OSError as error:
            if error.filename is not None:  # the lock file cannot be opened; else, not be locked
                raise UserError(f"{folder}: cannot be written: {error.strerror}") from error
            _remove(folder / LOCK)
        locked = FolderLock(folder, lock.is_locked)
        if locked.held:
            remove_leftovers(folder)
        yield locked
    finally:
        if lock.is_locked:
            if locked.same():  # else the file at this path is another process's
                _remove(folder / LOCK)  # before the release: who opened this file takes a new one
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
