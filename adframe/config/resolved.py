"""A config as it will run, each value with where it was written."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from adframe.config.model import RunConfig
from adframe.config.variables import escape
from adframe.errors import Path_


def resolved(config: RunConfig) -> str:
    """YAML that runs again as it is; a comment beside each value says where it came from."""
    writer = YAML()
    writer.width = 4096  # a value is one line
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump(_commented(config.dump(), (), config), stream)
    lines = [line.partition(_MARK) for line in stream.getvalue().splitlines()]
    width = max(len(value.rstrip()) for value, mark, _ in lines if mark)
    width = min(width, 60)
    return "".join(
        f"{value.rstrip():<{width}}  # {origin}\n" if mark else f"{value}\n"
        for value, mark, origin in lines
    )


_MARK = "# \x1f"  # no value holds it: a config's text has no control characters


def _commented(value: Any, path: Path_, config: RunConfig) -> Any:
    if isinstance(value, str):
        return escape(value)
    if not isinstance(value, dict | list) or not value:
        return value
    made: Any = CommentedMap() if isinstance(value, dict) else CommentedSeq()
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        at = (*path, key)
        inner = _commented(item, at, config)
        if isinstance(made, CommentedMap):
            made[key] = inner
        else:
            made.append(inner)
        if not isinstance(inner, CommentedMap | CommentedSeq):
            made.yaml_add_eol_comment(f"{_MARK}{config.written(at) or 'default'}", key, column=0)
    return made
