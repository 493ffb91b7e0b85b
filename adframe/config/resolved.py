"""The resolved config: every value with its origin."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from adframe.config.model import RunConfig
from adframe.config.yaml_tree import escaped, to_yaml
from adframe.errors import KeyPath


def resolved(config: RunConfig) -> str:
    """YAML text of the config, with a comment after each value that gives its origin."""
    text = to_yaml(_commented(escaped(config.dump()), (), config), width=4096)
    lines = [line.partition(_MARK) for line in text.splitlines()]
    width = min(60, max(len(value.rstrip()) for value, mark, _ in lines if mark))
    return "".join(
        f"{value.rstrip():<{width}}  # {origin}\n" if mark else f"{value}\n"
        for value, mark, origin in lines
    )


_MARK = "# \x1f"  # no value contains it: YAML has no control characters


def _commented(value: Any, path: KeyPath, config: RunConfig) -> Any:
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
