"""Which bundled configs use a component."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from adframe.config.model import load_config
from adframe.config.specs import ComponentSpec
from adframe.config.yaml_tree import leaves
from adframe.errors import UserError
from adframe.registry.loading import LoadedPlugins
from adframe.registry.registry import Entry

_EXTENDS = re.compile(r"^extends:.*(?:\n[ \t-].*)*", re.MULTILINE)
_NAMED = re.compile(r"[\w./-]+")  # a file, or a name of a bundled config


def used_by(entry: Entry, folder: Path, loaded: LoadedPlugins) -> list[str]:
    """Names of the valid configs below a folder that use the component."""
    default = loaded.registry.default(entry.kind)
    found = []
    for path in sorted(folder.rglob("*.yaml") if entry == default else _naming(entry.name, folder)):
        try:
            config = load_config(path, loaded=loaded)
        except UserError:
            continue
        if _uses(config, entry):
            found.append(path.relative_to(folder).with_suffix("").as_posix())
    return found


def _naming(name: str, folder: Path) -> set[Path]:
    """Configs below a folder that hold a name in their text or extend one that does, and perhaps
    others; to read a text takes a hundredth of the time of loading a config.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*.yaml")}
    found = {path for path, text in texts.items() if re.search(rf"\b{name}\b", text)}
    bases = {path: _bases(path, folder, text) for path, text in texts.items()}
    while more := {path for path in texts if bases[path] & found} - found:
        found |= more
    return found


def _bases(path: Path, folder: Path, text: str) -> set[Path]:
    """Files that a config may extend."""
    named = _NAMED.findall("".join(_EXTENDS.findall(text)))
    near = {Path(os.path.normpath(path.parent / name)) for name in named}
    return near | {folder / f"{name}.yaml" for name in named}


def _uses(value: Any, entry: Entry) -> bool:
    for _, leaf in leaves(value):
        if isinstance(leaf, ComponentSpec) and (leaf.entry == entry or _uses(leaf.options, entry)):
            return True
        if isinstance(leaf, BaseModel) and _uses(vars(leaf), entry):
            return True
    return False
