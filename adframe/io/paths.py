"""Paths: from the command line, one or several, with a home folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from adframe.errors import UserError

AnyPath = str | os.PathLike[str]
One = TypeVar("One", bound=AnyPath)


def each(paths: One | Iterable[One]) -> Iterator[One]:
    """Each of one path or several.

    Raises:
        UserError: something else is among them.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    elif isinstance(paths, bytes) or not isinstance(paths, Iterable):
        raise UserError(f"expected a path or several, not {type(paths).__name__}")
    for path in paths:
        as_path(path)
        yield path


def as_path(path: AnyPath) -> Path:
    """One path.

    Raises:
        UserError: it is something else.
    """
    if not isinstance(path, str | os.PathLike) or isinstance(os.fspath(path), bytes):
        raise UserError(f"expected a path, not {type(path).__name__}")
    return Path(path)


def as_list(paths: One | Iterable[One]) -> list[One]:
    """Converts one path, or several, to a list of paths.

    Raises:
        UserError: something else is among them.
    """
    return list(each(paths))


def a_path(text: str) -> Path:
    """A path from the command line.

    Raises:
        UserError: it is empty, or no file can have it.
    """
    if not text or "\0" in text:
        raise UserError(f"{text!r} is not a path")
    return Path(text)


def why_no_file(path: AnyPath) -> str | None:
    """Why a path leads to no regular file, such as ``Permission denied``; None if it does."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "no such file"
    except (OSError, ValueError) as error:  # ValueError: a null character
        return getattr(error, "strerror", None) or str(error)
    if stat.S_ISREG(mode):
        return None
    return "is a folder" if stat.S_ISDIR(mode) else "not a regular file"


def make_folders(folder: Path) -> None:
    """Make a folder and its parents, unless they exist. It needs no recursion, as pathlib does.

    Raises:
        OSError: one of them cannot be made.
    """
    below = []
    while True:
        try:
            folder.mkdir(exist_ok=True)
            break
        except FileNotFoundError:
            if folder.parent == folder:
                raise
            below.append(folder)
            folder = folder.parent
    for folder in reversed(below):
        folder.mkdir(exist_ok=True)


def expand_user(path: Path) -> Path:
    """A path with ``~`` replaced by the home folder.

    Raises:
        UserError: there is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UserError(f"{path}: the home folder is not known") from error
