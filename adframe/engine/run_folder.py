"""Checks a run folder before anything is written. Each run folder belongs to one config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adframe.config.identity import identity
from adframe.config.model import RunConfig
from adframe.config.resolved import resolved
from adframe.config.yaml_tree import leaves, map_tree, read_file
from adframe.errors import KeyPath, UserError
from adframe.io.atomic import is_temporary, write
from adframe.io.folders import check_folder
from adframe.io.locks import LOCK
from adframe.io.read import read_text

#: Sections that a resumed run may change. The fingerprint has the observers that steer a run.
_BESIDE = ("plugins", "metrics", "observers")


def check_config(path: Path, config: RunConfig, resume: bool, extend: bool = False) -> int | None:
    """Check that a folder is empty or, with ``resume``, holds a run of the same config.

    Only what decides the result must be the same; see ``identity``.

    Args:
        path: the run folder.
        config: the config of the run.
        resume: whether the folder may hold a run.
        extend: whether the config may have more epochs.

    Returns:
        The epochs of the run in the folder, if the config has more.

    Raises:
        UserError: the folder holds something else.
    """
    check_folder(path)
    existing = path / "config.yaml"
    if existing.exists():
        if not resume:
            raise UserError(f"{path}: holds a run already; continue with --resume, or choose --out")
        changed, epochs = changed_keys(existing, config), None
        if extend and "train.epochs" in changed:
            epochs = int(changed["train.epochs"].partition(" ")[0])
            if epochs > config.train.epochs:
                raise UserError(f"{path}: has {epochs} epochs already; --extend only adds some")
            del changed["train.epochs"]
        if changed:
            texts = "; ".join(f"{key}: {text}" for key, text in changed.items())
            hint = " (--extend adds epochs)" if list(changed) == ["train.epochs"] else ""
            raise UserError(f"{path}: belongs to a run with another config: {texts}{hint}")
        return epochs
    if any(entry.name != LOCK and not is_temporary(entry.name) for entry in path.iterdir()):
        raise UserError(f"{path}: is not empty and holds no run; choose another --out")
    return None


def write_config(path: Path, config: RunConfig) -> None:
    """Write the config of a run into its folder, unless it is there."""
    existing, text = path / "config.yaml", config.yaml()
    if not existing.exists() or read_text(existing) != text:
        write(existing, text)
    if not (path / "origins.yaml").exists():  # a resumed run has all values from config.yaml
        write(path / "origins.yaml", resolved(config))


def changed_rule(path: Path, config: RunConfig) -> bool:
    """Whether a config decides by another rule than the one in a run folder."""
    old, new = read_file(path / "config.yaml").plain(), json.loads(json.dumps(config.dump()))
    return any(key.startswith("decision.") for key in differences(old, new))


def changed_keys(existing: Path, config: RunConfig) -> dict[str, str]:
    """Key -> ``2 -> 5``, for each value that decides the result and differs from a config file."""
    old, new = _plain_names(read_file(existing).plain()), _plain_names(config.dump())
    decisive = _leaves(identity(config))
    return {
        key: text
        for key, text in differences(old, json.loads(json.dumps(new))).items()
        if (key in decisive or key not in _leaves(new)) and key.partition(".")[0] not in _BESIDE
    }


def _plain_names(value: Any) -> Any:
    """Config values with the names of components without those of their plugins."""

    def leaf(value: Any, path: KeyPath) -> Any:
        named = path[-1:] == ("name",) and isinstance(value, str)
        return value.rpartition(":")[2] if named else value

    return map_tree(value, leaf)


def differences(old: Any, new: Any) -> dict[str, str]:
    """Key -> ``2 -> 5``, for each value in which two configs of plain values differ."""
    before, after, gone = _leaves(old), _leaves(new), "nothing"
    return {
        key: f"{before.get(key, gone)} -> {after.get(key, gone)}"
        for key in sorted({*before, *after})
        if before.get(key, gone) != after.get(key, gone)
    }


def _leaves(config: Any) -> dict[str, str]:
    """The plain values of a config by dotted key, as JSON."""
    return {".".join(map(str, path)): json.dumps(value) for path, value in leaves(config)}
