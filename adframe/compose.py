"""From several config files and overrides to one tree: ``extends``, merging, ``--set``."""

from __future__ import annotations

import re
from pathlib import Path

from adframe.errors import UserError, one_line
from adframe.tree import Node, parse, read_file

MAX_FILES = 100  # of one config, each time it is read counted


def compose(path: Path, above: tuple[Path, ...] = (), read: list[Path] | None = None) -> Node:
    """The tree of a file laid upon all it ``extends``, base first.

    Raises:
        UserError: a file cannot be read, or extends itself; or they are too many.
    """
    read = [] if read is None else read
    read.append(path)
    if len(read) > MAX_FILES:
        raise UserError(f"{read[0]}: extends: more than {MAX_FILES} files, one by way of another")
    node = read_file(path)
    plugins = node.value.get("plugins")
    if plugins is not None and isinstance(plugins.value, list):
        items = [_beside(path, item) for item in plugins.value]
        node.value["plugins"] = Node(items, plugins.origin)
    extends = node.value.pop("extends", None)
    if extends is None:
        return node
    items = extends.value if isinstance(extends.value, list) else [extends]
    base: Node | None = None
    for item in items:
        if not isinstance(item.value, str):
            raise UserError(f"{item.origin}: extends: expected a path or a list of paths")
        file = path.parent / item.value
        if not file.is_file():
            raise UserError(f"{item.origin}: extends: no such file: {file}")
        chain = (*above, path)
        if file.resolve() in [link.resolve() for link in chain]:
            cycle = " -> ".join(str(link) for link in (*chain, file))
            raise UserError(f"{item.origin}: extends: a file extends itself: {cycle}")
        below = compose(file, chain, read)
        base = merge(base, below) if base else below
    return merge(base, node) if base else node


def _beside(path: Path, item: Node) -> Node:
    """A file name as it reads from the config that says it."""
    if not isinstance(item.value, str):
        return item
    return Node(str((path.parent / item.value).resolve()), item.origin)


def merge(base: Node, over: Node) -> Node:
    """``over`` laid upon ``base``: tables merge key by key, everything else is replaced.

    A component's table whose name changes replaces the old one whole, so that the old component's
    options do not leak in; options laid upon a component's bare name make a table of it. A bare
    name is short for a table with that name alone, and is laid as such.
    """
    if isinstance(over.value, str) and isinstance(base.value, dict) and "name" in base.value:
        return base if base.value["name"].value == over.value else over
    if not isinstance(over.value, dict):
        return over
    if isinstance(base.value, str) and "name" not in over.value:
        return Node({"name": base, **over.value}, over.origin)
    if not isinstance(base.value, dict):
        return over
    if "name" in over.value and "name" in base.value:
        renamed = over.value["name"].value != base.value["name"].value
        if renamed:
            return over
    merged = dict(base.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, over.origin)


def set_value(tree: Node, setting: str) -> Node:
    """The tree with one ``a.b.0.c=VALUE`` applied; VALUE is YAML.

    Lists count from 0, or from their end (``-1``); ``a.+=VALUE`` adds an item.

    Raises:
        UserError: the setting has no ``=``, VALUE is no YAML, or the key leads nowhere.
    """
    key, equals, text = setting.partition("=")
    origin = one_line(f"--set {setting}")
    keys = key.strip().split(".")
    if not equals or not all(keys):
        raise UserError(f"{origin}: write KEY=VALUE")
    return _set(tree, keys, 0, parse(text, origin, folder=Path()), origin)


def _set(node: Node, keys: list[str], depth: int, value: Node, origin: str) -> Node:
    if depth == len(keys):
        return merge(node, value)
    key = keys[depth]
    if key == "+":
        one = [] if node.value is None else [node]
        items = node.value if isinstance(node.value, list) else one
        return Node([*items, _set(Node(None, origin), keys, depth + 1, value, origin)], node.origin)
    if isinstance(node.value, list):
        items = list(node.value)
        index = int(key) if re.fullmatch(r"-?[0-9]{1,9}", key) else len(items)
        if not -len(items) <= index < len(items):
            at = ".".join(keys[:depth])
            text = f"{origin}: '{at}' is a list of {len(items)}; no item '{key}' ('+' adds one)"
            raise UserError(one_line(text))
        items[index] = _set(items[index], keys, depth + 1, value, origin)
        return Node(items, node.origin)
    old = node.value.get(key) if isinstance(node.value, dict) else None
    new = _set(old or Node(None, origin), keys, depth + 1, value, origin)
    # A table stays where it was written: what else it lacks is to be mended there.
    where = node.origin if isinstance(node.value, dict) else origin
    return merge(node, Node({key: new}, where))
