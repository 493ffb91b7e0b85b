"""Finds bundled configs by name from any folder, in a clone and in an installed package."""

from __future__ import annotations

import os
from pathlib import Path

from adframe.errors import UserError, did_you_mean
from adframe.io.paths import expand_user, why_no_file

_PARTS = ("base/", "published/", "tables/")  # not runs: what other files extend or name


def configs_folder() -> Path:
    """Folder of the bundled configs: inside the package, or next to it."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def bundled_configs(below: str = "") -> dict[str, Path]:
    """Name -> file of each runnable bundled config, or of each table for ``tables``.

    Example:
        ``bundled_configs()["unicon_ha/cifar10"]``
    """
    return {name: path for name, path in _files(below).items() if not name.startswith(_PARTS)}


def find_config(name: str | Path, near: Path = Path(), below: str = "") -> Path:
    """File of a config, by its path or the name of a bundled config; existing files have priority.

    Args:
        name: a path, ``~`` allowed, or a name such as ``quickstart`` or ``unicon_ha/cifar10``.
        near: folder that a relative path starts from.
        below: subfolder of the bundled configs that a name starts from.

    Raises:
        UserError: no file and no bundled config is called this, with the nearest name; or the file
            cannot be reached, or is a folder; or ``~`` names no user.
    """
    file = near / expand_user(Path(name))
    if os.path.exists(file) and not os.path.isdir(file):  # a pipe can be read too
        return file
    known, wanted = _files(below), Path(name).as_posix()
    if wanted in known:  # only names from the list: `../x` leads nowhere
        return known[wanted]
    reason = why_no_file(file) if str(name) else None
    if reason and reason != "no such file":
        raise UserError(f"{name}: {reason}")
    hint = did_you_mean(wanted.removesuffix(".yaml"), known)
    hint = hint or ("" if below else "; see: adframe configs")
    raise UserError(f"{name}: no such file or bundled config{hint}")


def shown(path: Path) -> str:
    """Path of a config file for messages; a bundled file is ``configs/NAME.yaml`` everywhere."""
    whole, folder = Path(os.path.normpath(path)), configs_folder()
    if not whole.is_relative_to(folder):
        return str(path)
    return f"configs/{whole.relative_to(folder).as_posix()}"


def _files(below: str) -> dict[str, Path]:
    folder = configs_folder() / below
    files = sorted(folder.rglob("*.yaml"))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}
