"""What of a config decides the result of a run: everything but places and ways of working."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from adframe.config.model import RunConfig
from adframe.config.signature import parameters_of
from adframe.config.specs import ComponentSpec, plain
from adframe.config.yaml_tree import map_tree
from adframe.interfaces import NoEffect


def identity(config: RunConfig) -> dict[str, Any]:
    """The config as plain values, without what may differ between two machines.

    Not in it are paths (options of type ``Path``), plugin files, metrics, and what is marked
    ``NoEffect``, such as the device or the number of workers. Images are compared by their
    digests, not by their paths.
    """
    fields = {name: getattr(config, name) for name in type(config).model_fields}
    del fields["plugins"], fields["metrics"]
    for name in ("decision", "start"):
        if fields[name] is None:
            del fields[name]  # a model without one stays that of its config
    return {name: _decisive(value) for name, value in fields.items()}


def digest(identity: dict[str, Any]) -> str:
    """SHA-256 of such values."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _decisive(value: Any) -> Any:
    def leaf(value: Any, _: Any) -> Any:
        if isinstance(value, ComponentSpec):
            hints = parameters_of(value.entry.load())
            kept = {
                name: _decisive(option)
                for name, option in value.options.items()
                if not _has_no_effect(hints[name][1])
            }
            return {**value.names, **kept}
        if isinstance(value, BaseModel):
            infos = type(value).model_fields
            marks = {name: (info.annotation, *info.metadata) for name, info in infos.items()}
            return {
                name: _decisive(item)
                for name, item in value
                if not any(map(_has_no_effect, marks[name]))
            }
        return plain(value)

    return map_tree(value, leaf, sequence=list)


def _has_no_effect(hint: Any) -> bool:
    marked = hint is Path or isinstance(hint, NoEffect)
    return marked or any(map(_has_no_effect, get_args(hint)))
