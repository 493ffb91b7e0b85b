"""Writes files of observers into run folders."""

from __future__ import annotations

import os
from pathlib import Path

from adframe import UserError


def write_text(path: Path, text: str) -> None:
    """Write a file, but through no link: the folder of a run may come from somebody else.

    Raises:
        UserError: it cannot be written.
    """
    try:
        with open(str(path), "w", encoding="utf-8", opener=_opener) as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
