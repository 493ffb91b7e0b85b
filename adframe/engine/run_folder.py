"""Opens a run folder. Each run folder belongs to one config."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from adframe.config.model import RunConfig
from adframe.config.yaml_tree import leaves, read_file
from adframe.errors import UserError
from adframe.io.atomic import is_temporary, write
from adframe.io.locks import LOCK


def check_folder(path: Path) -> None:
    """Raise an error if a run folder holds anything but files and folders.

    A run writes and reads its files by name. A link among them could lead anywhere, and a pipe
    would be waited for.

    Raises:
        UserError: it holds a link, a pipe or a device; or it cannot be read.
    """
    try:
        with os.scandir(path) as entries:
            odd = [e.name for e in entries if not _is_plain(e)]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    if odd:
        raise UserError(
            f"{path / min(odd)}: is a link, a pipe or a device; a run folder holds only files"
        )


def _is_plain(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)


def open_folder(path: Path, config: RunConfig, resume: bool) -> None:
    """Write the config into an empty folder, or check that the folder holds the same config.

    Raises:
        UserError: the folder holds a run already; or, with ``resume``, a run of another config.
    """
    check_folder(path)
    text = config.yaml()
    existing = path / "config.yaml"
    if existing.exists():
        if not resume:
            raise UserError(f"{path}: holds a run already; continue with --resume, or choose --out")
        changed = _changed(existing, config)
        if changed:
            raise UserError(f"{path}: belongs to a run with another config: {'; '.join(changed)}")
        return
    if any(entry.name != LOCK and not is_temporary(entry.name) for entry in path.iterdir()):
        raise UserError(f"{path}: is not empty and holds no run; choose another --out")
    write(existing, text)


def _changed(existing: Path, config: RunConfig) -> list[str]:
    """Differences between two configs, one line each: ``train.epochs: 2 -> 5``."""
    old = _leaves(read_file(existing).plain())
    new = _leaves(json.loads(json.dumps(config.dump())))
    gone = "nothing"
    return [
        f"{key}: {old.get(key, gone)} -> {new.get(key, gone)}"
        for key in sorted({*old, *new})
        if old.get(key, gone) != new.get(key, gone)
    ]


def _leaves(config: Any) -> dict[str, str]:
    """The plain values of a config by dotted key, as JSON."""
    return {".".join(map(str, path)): json.dumps(value) for path, value in leaves(config)}
