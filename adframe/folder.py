"""The run folder: one process at a time, one config for good."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from adframe.config import RunConfig
from adframe.errors import UserError
from adframe.files import write
from adframe.tree import read_file

_LOCKS: set[int] = set()


def _let_go() -> None:
    """A forked process, such as one that decodes images, must not hold on when a run is killed."""
    for descriptor in _LOCKS:
        os.close(descriptor)
    _LOCKS.clear()


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def held(folder: Path | None) -> Iterator[None]:
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


def open_folder(path: Path, config: RunConfig, resume: bool) -> None:
    """Begin a run in a folder that exists, or take up one of the same config.

    Raises:
        UserError: it holds a run already; or, with ``resume``, a run of another config.
    """
    text = config.yaml()
    existing = path / "config.yaml"
    if existing.exists():
        if not resume:
            raise UserError(f"{path}: holds a run already; go on with --resume, or choose --out")
        changed = _changed(existing, config)
        if changed:
            raise UserError(f"{path}: its run has another config: {'; '.join(changed)}")
        return
    if any(entry.name != "config.yaml.part" for entry in path.iterdir()):
        raise UserError(f"{path}: is not empty and holds no run; choose another --out")
    write(existing, text)


def _changed(existing: Path, config: RunConfig) -> list[str]:
    """One line for each value that differs: ``train.epochs: 2 -> 5``."""
    old = _leaves(read_file(existing).plain())
    new = _leaves(json.loads(json.dumps(config.dump())))
    gone = "nothing"
    return [
        f"{key}: {old.get(key, gone)} -> {new.get(key, gone)}"
        for key in sorted({*old, *new})
        if old.get(key, gone) != new.get(key, gone)
    ]


def _leaves(value: Any, path: str = "") -> dict[str, str]:
    """The plain values of a tree by dotted path, as JSON."""
    items = dict(enumerate(value)) if isinstance(value, list) else value
    if not isinstance(items, dict) or not items:
        return {path: json.dumps(value)}
    below = (_leaves(item, f"{path}.{key}".lstrip(".")) for key, item in items.items())
    return {key: leaf for leaves in below for key, leaf in leaves.items()}
