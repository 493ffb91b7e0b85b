"""Config files as trees in which every value knows where it was written.

YAML 1.2 (so ``1e-3`` is a number, ``no`` is text, and JSON is valid), read with a limit on size,
so that a file of aliases to aliases is refused and not expanded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from adframe.errors import ConfigError, Problem, UserError

MAX_NODES = 20_000
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Node:
    """A table (dict of nodes), a list (of nodes) or a plain value, and where it was written."""

    value: Any
    origin: str

    def plain(self) -> Any:
        """The tree as plain dicts, lists and values."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def origin_of(self, path: Sequence[str | int]) -> str:
        """Where the deepest existing part of ``path`` was written."""
        node = self
        for part in path:
            inside = isinstance(node.value, dict) and part in node.value
            if not inside and not (
                isinstance(node.value, list) and isinstance(part, int) and part < len(node.value)
            ):
                break
            node = node.value[part]
        return node.origin


def read_file(path: Path) -> Node:
    """The tree of a config file.

    Raises:
        UserError: it is missing, not text, too large, not YAML, or not a table.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES} bytes; this is no config")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    node = parse(text, str(path), lines=True)
    if node.value is None:
        return Node({}, f"{path}:1")
    if not isinstance(node.value, dict):
        raise UserError(f"{path}:1: a config is a table of keys")
    return node


def parse(text: str, name: str, lines: bool = False) -> Node:
    """The tree of a YAML text; every origin is ``name``, or ``name:line``."""
    try:
        root = YAML(typ="safe", pure=True).compose(text)
        return _Reader(name, lines).node(root) if root else Node(None, name)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"{name}:{mark.line + 1}" if mark and lines else name
        raise UserError(f"{at}: not valid YAML: {error.problem or error.context}") from error
    except YAMLError as error:
        raise UserError(f"{name}: not valid YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise UserError(f"{name}: nested too deeply") from error


class _Reader:
    def __init__(self, name: str, lines: bool) -> None:
        self.name, self.lines, self.count = name, lines, 0

    def node(self, raw: Any, key: Any = None) -> Node:
        """A tree from ruamel's nodes; a table's values carry the line of their key."""
        mark = (key or raw).start_mark
        origin = f"{self.name}:{mark.line + 1}" if self.lines else self.name
        self.count += 1
        if self.count > MAX_NODES:
            raise UserError(f"{origin}: more than {MAX_NODES} values, aliases expanded")
        if isinstance(raw, MappingNode):
            table: dict[str, Node] = {}
            for name, value in raw.value:
                if not isinstance(name, ScalarNode):
                    raise UserError(f"{origin}: a key must be a word")
                if name.value in table:
                    at = self.node(value, name).origin
                    raise ConfigError([Problem((name.value,), "written twice", at)])
                table[name.value] = self.node(value, name)
            return Node(table, origin)
        if isinstance(raw, SequenceNode):
            return Node([self.node(item) for item in raw.value], origin)
        return Node(_scalar(raw, origin), origin)


def _scalar(raw: ScalarNode, origin: str) -> Any:
    tag, text = str(raw.tag).rpartition(":")[2], raw.value
    try:
        if tag == "int":
            return int(text.replace("_", ""), 0 if text.lstrip("+-")[:2] in ("0x", "0o") else 10)
        if tag == "float":
            return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError as error:
        raise UserError(f"{origin}: not a number: {text[:40]}") from error
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag in ("str", "timestamp"):
        return text
    raise UserError(f"{origin}: tag '{raw.tag}' is not allowed; a config holds plain values")


def merge(base: Node, over: Node) -> Node:
    """``over`` laid upon ``base``: tables merge key by key, everything else is replaced.

    A component's table whose name changes replaces the old one whole, so that the old component's
    options do not leak in; options laid upon a component's bare name make a table of it.
    """
    if not isinstance(over.value, dict):
        return over
    if isinstance(base.value, str) and "name" not in over.value:
        return Node({"name": base, **over.value}, over.origin)
    if not isinstance(base.value, dict):
        return over
    if "name" in over.value and "name" in base.value:
        if over.value["name"].value != base.value["name"].value:
            return over
    merged = dict(base.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, over.origin)


def set_value(tree: Node, setting: str) -> Node:
    """The tree with one ``a.b.0.c=VALUE`` applied; VALUE is YAML.

    Raises:
        UserError: the setting has no ``=``, VALUE is no YAML, or the key leads nowhere.
    """
    key, equals, text = setting.partition("=")
    origin = f"--set {setting}"
    if not equals or not key.strip(". "):
        raise UserError(f"{origin}: write KEY=VALUE")
    return _set(tree, key.strip().split("."), 0, parse(text, origin), origin)


def _set(node: Node, keys: list[str], depth: int, value: Node, origin: str) -> Node:
    if depth == len(keys):
        return merge(node, value)
    key = keys[depth]
    if isinstance(node.value, list):
        if not key.isdigit() or int(key) >= len(node.value):
            at = ".".join(keys[:depth])
            raise UserError(f"{origin}: '{at}' is a list of {len(node.value)}; no item '{key}'")
        items = list(node.value)
        items[int(key)] = _set(items[int(key)], keys, depth + 1, value, origin)
        return Node(items, node.origin)
    old = node.value.get(key) if isinstance(node.value, dict) else None
    new = _set(old or Node(None, origin), keys, depth + 1, value, origin)
    return merge(node, Node({key: new}, origin))
