"""Builds one tree from several config files and overrides: ``extends``, merging, ``--set``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import reduce
from pathlib import Path

from adframe.config.bundled import find_config, shown
from adframe.config.yaml_tree import MAX_DEPTH, ConfigNode, has_comment, parse, read_file
from adframe.errors import UserError, one_line
from adframe.io.paths import as_path, expand_user

MAX_FILES = 100  # per config; a file that is read twice counts twice
_SHOWN = 300  # characters of a setting in a message


def read_config(path: str | Path, settings: Iterable[str] = ()) -> tuple[ConfigNode, str]:
    """Tree of a config with overrides applied, and its name for messages.

    Args:
        path: a YAML or JSON file, or the name of a bundled config.
        settings: overrides ``a.b=VALUE``, applied in order.

    Raises:
        UserError: a file cannot be read, or an override leads nowhere.
    """
    as_path(path)
    file = find_config(path)
    return reduce(set_value, settings, compose(file, pipes=True)), shown(file)


def compose(
    path: Path, above: tuple[Path, ...] = (), read: list[Path] | None = None, pipes: bool = False
) -> ConfigNode:
    """Tree of a config file, merged over all files that it ``extends``.

    Args:
        path: the file.
        above: files that led to this one, to detect a circle.
        read: files read so far, to limit their number.
        pipes: the file may be a pipe; not those that it extends.

    Raises:
        UserError: a file cannot be read or extends itself, or there are too many files.
    """
    read = [] if read is None else read
    read.append(path)
    if len(read) > MAX_FILES:
        raise UserError(f"{shown(read[0])}: extends: more than {MAX_FILES} files in total")
    node = read_file(path, pipes)
    plugins = node.value.get("plugins")
    if plugins is not None and isinstance(plugins.value, list):
        items = [_absolute(path, item) for item in plugins.value]
        node.value["plugins"] = ConfigNode(items, plugins.origin)
    extends = node.value.pop("extends", ConfigNode([], ""))
    items = extends.value if isinstance(extends.value, list) else [extends]
    return reduce(merge, [*(_extended(path, item, above, read) for item in items), node])


def _extended(
    path: Path, item: ConfigNode, above: tuple[Path, ...], read: list[Path]
) -> ConfigNode:
    """Tree of one file that the file ``path`` extends."""
    where = f"{item.origin}: extends"
    if not isinstance(item.value, str):
        raise UserError(f"{where}: expected a path or name, or a list of them")
    try:
        file = find_config(item.value, near=path.parent)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    chain = (*above, path)
    if file.resolve() in [link.resolve() for link in chain]:
        cycle = " -> ".join(map(shown, (*chain, file)))
        raise UserError(f"{where}: a file extends itself: {cycle}")
    return compose(file, chain, read)


def _absolute(path: Path, item: ConfigNode) -> ConfigNode:
    """Absolute path of a file name in a config, which is relative to the config."""
    if not isinstance(item.value, str):
        return item
    return ConfigNode(os.path.realpath(path.parent / _home(item)), item.origin)


def _home(item: ConfigNode) -> Path:
    try:
        return expand_user(Path(item.value))
    except UserError as error:
        raise UserError(f"{item.origin}: {error}") from error


def merge(base: ConfigNode, over: ConfigNode) -> ConfigNode:
    """``base`` changed by ``over``: mappings merge key by key, all other values are replaced.

    - A mapping with another ``name`` replaces the old component and all of its options.
    - A mapping without ``name`` sets options of the component already configured.
    - A bare name is the same as a mapping with this ``name`` only.
    """
    if isinstance(over.value, str) and isinstance(base.value, dict) and "name" in base.value:
        return base if base.value["name"].value == over.value else over
    if not isinstance(over.value, dict):
        return over
    if isinstance(base.value, str) and "name" not in over.value:
        return ConfigNode({"name": base, **over.value}, over.origin)
    if not isinstance(base.value, dict):
        return over
    if "name" in over.value and "name" in base.value:
        renamed = over.value["name"].value != base.value["name"].value
        if renamed:
            return over
    merged = dict(base.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return ConfigNode(merged, over.origin)


def set_value(tree: ConfigNode, setting: str) -> ConfigNode:
    """Apply one override ``a.b.0.c=VALUE`` to a tree; VALUE is YAML.

    List items are counted from 0, or from the end (``-1``); ``a.+=VALUE`` appends an item.

    Raises:
        UserError: the setting has no ``=``, VALUE is not YAML or would lose a part as a comment,
            or KEY leads nowhere.
    """
    key, equals, text = setting.partition("=")
    keys = key.strip().split(".")
    origin = one_line(f"--set {setting if len(setting) <= _SHOWN else setting[:_SHOWN] + '...'}")
    if not equals or not all(keys) or keys[0] == "+":
        raise UserError(f"{origin}: write KEY=VALUE")
    if len(keys) > MAX_DEPTH:
        raise UserError(f"{origin}: nested too deeply")
    value = parse(text, origin, folder=Path())
    if has_comment(text):
        quoted = "'" + text.strip().replace("'", "''") + "'"
        raise UserError(f"{origin}: YAML ends a value at ' #'; quote it: --set \"{key}={quoted}\"")
    return set_node(tree, keys, value)


def set_node(node: ConfigNode, keys: list[str], value: ConfigNode, depth: int = 0) -> ConfigNode:
    """The tree with ``value`` merged at a path of keys; see ``set_value``.

    Args:
        node: the tree, or the part of it below the first ``depth`` keys.
        keys: parts of a dotted key.
        value: the new value.
        depth: number of keys that led to ``node``.

    Raises:
        UserError: the keys lead nowhere.
    """
    if depth == len(keys):
        return merge(node, value)
    key, empty = keys[depth], ConfigNode(None, value.origin)
    if key == "+":
        one = [] if node.value is None else [node]
        items = node.value if isinstance(node.value, list) else one
        return ConfigNode([*items, set_node(empty, keys, value, depth + 1)], node.origin)
    if isinstance(node.value, list):
        items = list(node.value)
        index = int(key) if re.fullmatch(r"-?[0-9]{1,9}", key) else len(items)
        if not -len(items) <= index < len(items):
            at = ".".join(keys[:depth])
            text = f"'{at}' is a list of {len(items)}; no item '{key[:40]}' ('+' appends one)"
            raise UserError(one_line(f"{value.origin}: {text}"))
        items[index] = set_node(items[index], keys, value, depth + 1)
        return ConfigNode(items, node.origin)
    old = node.value.get(key) if isinstance(node.value, dict) else None
    new = set_node(old or empty, keys, value, depth + 1)
    # An existing mapping keeps its origin: a key that it still lacks is to be added there.
    where = node.origin if isinstance(node.value, dict) else value.origin
    return merge(node, ConfigNode({key: new}, where))
