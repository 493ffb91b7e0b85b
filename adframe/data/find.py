"""Finds image files in folders: the same files in training and in scoring."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from adframe.data.formats import SUFFIXES
from adframe.errors import UserError, one_line
from adframe.io.atomic import is_temporary
from adframe.io.paths import AnyPath, as_list

logger = logging.getLogger("adframe")

Folder = tuple[int, int]  # device and inode: the same for every path to a folder


def find_images(paths: AnyPath | Iterable[AnyPath]) -> list[Path]:
    """Find the image files in files and folders, at any depth, sorted.

    Links to files and folders are followed; each folder is searched once, however many paths lead
    to it. Passed over are: hidden files and folders (``.name``), files with the suffix of no image
    format, pipes and devices, and folders that cannot be read. One warning counts them.

    Args:
        paths: one file or folder, or several. A file is returned with any suffix.

    Raises:
        UserError: a folder in ``paths`` cannot be read.
    """
    return list(each_image(as_list(paths)))


def each_image(paths: Iterable[AnyPath]) -> Iterator[Path]:
    """The same files one by one; memory does not grow with their number.

    Raises:
        UserError: as for ``find_images``.
    """
    passed, seen = _PassedOver(), set[Folder]()
    for path in paths:
        if os.path.isdir(path):
            yield from map(Path, _walk(os.fspath(path), passed, seen))
        else:
            yield Path(path)
    passed.report()


def arrivals(folders: Iterable[AnyPath]) -> list[Path]:
    """Image files in folders, as from ``find_images``, without the warning.

    Raises:
        UserError: a folder cannot be read.
    """
    seen = set[Folder]()
    return [Path(file) for top in folders for file in _walk(os.fspath(top), _PassedOver(), seen)]


class _PassedOver:
    """What a search did not return: how many of each kind, and an example."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.examples: dict[str, str] = {}

    def add(self, kind: str, example: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.examples.setdefault(kind, example)

    def report(self) -> None:
        """Log one line, if anything was passed over."""
        if self.counts:
            parts = [
                f"{count} {kind} ({self._example(kind)})"
                for kind, count in sorted(self.counts.items())
            ]
            logger.warning("passed over: %s", one_line(", ".join(parts)))

    def _example(self, kind: str) -> str:
        more = ", ..." if self.counts[kind] > 1 else ""
        return self.examples[kind] + more


def _walk(top: str, passed: _PassedOver, seen: set[Folder]) -> Iterator[str]:
    """Yield the image files below a folder. It needs no recursion, so any depth will do."""
    try:
        waiting = [iter(_entries(top, seen) or [])]
    except OSError as error:
        raise UserError(f"{top}: cannot be read: {error.strerror or error}") from error
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
        elif entry.name[0] == ".":
            if not is_temporary(entry.name):  # such as the output of this command
                passed.add("hidden", entry.path)
        elif _is(entry.is_dir):
            try:
                inside = _entries(entry.path, seen)
            except OSError as error:
                passed.add("unreadable", f"{entry.path}: {error.strerror or error}")
                continue
            if inside is None:
                passed.add("linked twice", entry.path)
            else:
                waiting.append(iter(inside))
        elif os.path.splitext(entry.name)[1].lower() not in SUFFIXES:
            passed.add("not images by suffix", entry.path)
        elif _is(entry.is_file) or not os.path.exists(entry.path):
            yield entry.path  # also a link that leads nowhere, so that an error names it
        else:
            passed.add("pipes or devices", entry.path)


def _entries(folder: str, seen: set[Folder]) -> list[os.DirEntry[str]] | None:
    """The entries of a folder by name; None if it was searched before."""
    facts = os.stat(folder)
    key = facts.st_dev, facts.st_ino
    if key in seen:
        return None
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    seen.add(key)
    return listed


def _is(kind: Callable[[], bool]) -> bool:
    """Whether an entry is a folder or a file; false for a link that cannot be followed."""
    try:
        return kind()
    except OSError:
        return False
