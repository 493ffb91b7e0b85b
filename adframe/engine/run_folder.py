"""Opens a run folder: it belongs to one config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adframe.config.model import RunConfig
from adframe.config.yaml_tree import leaves, read_file
from adframe.errors import UserError
from adframe.io.atomic import write
from adframe.io.locks import LOCK


def open_folder(path: Path, config: RunConfig, resume: bool) -> None:
    """Write the config into an empty folder, or check that the folder holds the same config.

    Raises:
        UserError: the folder holds a run already; or, with ``resume``, a run of another config.
    """
    text = config.yaml()
    existing = path / "config.yaml"
    if existing.exists():
        if not resume:
            raise UserError(f"{path}: holds a run already; continue with --resume, or choose --out")
        changed = _changed(existing, config)
        if changed:
            raise UserError(f"{path}: its run has another config: {'; '.join(changed)}")
        return
    if any(entry.name not in ("config.yaml.part", LOCK) for entry in path.iterdir()):
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


def _leaves(config: Any) -> dict[str, str]:
    """The plain values of a config by dotted key, as JSON."""
    return {".".join(map(str, path)): json.dumps(value) for path, value in leaves(config)}
