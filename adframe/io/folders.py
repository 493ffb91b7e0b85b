"""Checks what a run folder holds before a file of it is opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from adframe.errors import UserError

_SUFFIXES = {".csv", ".json", ".jsonl", ".safetensors", ".yaml"}  # of the files of a run


def check_folder(path: Path) -> None:
    """Raise an error if a run folder holds anything but files and folders.

    A run writes and reads its files by name. A link among them could lead anywhere, and a pipe
    would be waited for.

    Raises:
        UserError: it holds a link, a pipe or a device, or a folder with the name of a file; or it
            cannot be read.
    """
    try:
        with os.scandir(path) as entries:
            odd = {entry.name: what for entry in entries if (what := _odd(entry))}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    if odd:
        raise UserError(f"{path / min(odd)}: is {odd[min(odd)]}; a run folder has only files there")


def check_no_run_file(out: Path) -> None:
    """Raise an error if writing a file would replace a file of a run.

    Raises:
        UserError: it would.
    """
    place = Path(os.path.realpath(out))
    beside = ("config.yaml", "environment.json")  # a project may have a file of one name
    of_run = all(os.path.isfile(place.parent / name) for name in beside)
    if of_run and place.suffix in _SUFFIXES and os.path.isfile(place):
        raise UserError(f"{out}: is a file of a run; choose another one to write")


def _odd(entry: os.DirEntry[str]) -> str:
    """What an entry of a run folder is that should not be there; empty for others."""
    if entry.is_file(follow_symlinks=False):
        return ""
    if entry.is_dir(follow_symlinks=False):
        return "a folder" if os.path.splitext(entry.name)[1] in _SUFFIXES else ""
    mode = entry.stat(follow_symlinks=False).st_mode
    return "a link" if stat.S_ISLNK(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device"
