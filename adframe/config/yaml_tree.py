"""Config files as trees; every value has its origin (file and line). Reads and writes YAML.

YAML 1.2: ``1e-3`` is a number, ``no`` is text, and JSON is valid. Size and depth are limited, so a
small file cannot expand to a very large tree through aliases.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode, SequenceNode

from adframe.config.bundled import shown
from adframe.config.scalars import TAG, scalar
from adframe.config.variables import escape, expand
from adframe.errors import ConfigError, KeyPath, Problem, UserError
from adframe.io.read import read_bytes

MAX_NODES = 20_000
MAX_BYTES = 1 << 18
MAX_DEPTH = 64


def map_tree(
    value: Any,
    leaf: Callable[[Any, KeyPath], Any],
    path: KeyPath = (),
    sequence: Callable[[Iterable[Any]], Any] | None = None,
) -> Any:
    """Copy of a tree of dicts, lists and tuples, with ``leaf(value, path)`` for all other values.

    Args:
        value: the tree.
        leaf: gives the new value; it gets the old value and its path.
        path: path of the tree itself.
        sequence: type of the new lists and tuples; each keeps its own by default.
    """
    if isinstance(value, dict):
        return {key: map_tree(v, leaf, (*path, key), sequence) for key, v in value.items()}
    if isinstance(value, list | tuple):
        items = (map_tree(v, leaf, (*path, index), sequence) for index, v in enumerate(value))
        if sequence is None and hasattr(value, "_make"):  # a named tuple
            return value._make(items)
        return (sequence or type(value))(items)
    return leaf(value, path)


def leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Path and value of each leaf of such a tree; an empty dict, list or tuple is a leaf."""
    if not isinstance(value, dict | list | tuple) or not value:
        yield path, value
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(item, (*path, key))


def escaped(value: Any) -> Any:
    """Escape ``${`` in plain values as ``$${``, so that they are read back unchanged."""
    return map_tree(value, lambda leaf, _: escape(leaf) if isinstance(leaf, str) else leaf)


def to_yaml(value: Any, flow: bool | None = False, width: int = 80) -> str:
    """YAML text of plain values, keys in their order. All YAML files are written with it.

    Args:
        value: dicts, lists and values; ruamel's commented ones are written with their comments.
        flow: write ``{}`` and ``[]``: never, or None for the innermost.
        width: characters in a line, where YAML allows a break.
    """
    commented = isinstance(value, CommentedMap)
    writer = YAML(typ="rt" if commented else "safe", pure=True)
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.default_flow_style = flow
    writer.width = width
    known = writer.representer.yaml_representers  # of the class: other users of ruamel share it
    writer.representer.yaml_representers = {**known, str: _text}
    if commented:
        writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump(value, stream)
    return stream.getvalue()


def _text(representer: Any, text: str) -> ScalarNode:
    """A text as YAML; in double quotes with U+0085, which ruamel writes as a line break else."""
    style = '"' if "\x85" in text else None
    node: ScalarNode = representer.represent_scalar(TAG + "str", text, style=style)
    return node


def has_part(value: Any, part: str | int) -> bool:
    """Whether a mapping has this key, or a list this index."""
    if isinstance(value, Mapping):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


@dataclass(frozen=True)
class ConfigNode:
    """A mapping (dict of nodes), a list (of nodes) or a plain value, with its origin.

    ``expanded`` marks a text with variables replaced: an option that takes no text reads the
    number, boolean or null in it.
    """

    value: Any
    origin: str
    expanded: bool = False

    def plain(self) -> Any:
        """The tree as plain dicts, lists and values."""
        return map_tree(self.value, lambda v, _: v.plain() if isinstance(v, ConfigNode) else v)

    def origin_of(self, path: Sequence[str | int]) -> str:
        """Origin of the deepest existing part of ``path``."""
        return self._walk(path)[0].origin

    def find(self, path: Sequence[str | int]) -> ConfigNode | None:
        """The node at ``path``, or None."""
        node, missing = self._walk(path)
        return None if missing else node

    def _walk(self, path: Sequence[str | int]) -> tuple[ConfigNode, int]:
        """The deepest existing node on a path, and how many keys of the path remain."""
        node = self
        for depth, part in enumerate(path):
            if not has_part(node.value, part):
                return node, len(path) - depth
            node = node.value[part]
        return node, 0


def read_file(path: Path, pipes: bool = False) -> ConfigNode:
    """Read a config file as a tree; with ``pipes`` also what comes from a pipe.

    Raises:
        UserError: it is missing, too large, or not a mapping in UTF-8 YAML.
    """
    name = shown(path)
    data = read_bytes(path, MAX_BYTES, name, pipes)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    node = parse(text, name, lines=True, folder=path.parent)
    if node.value is None:
        return ConfigNode({}, f"{name}:1")
    if not isinstance(node.value, dict):
        raise UserError(f"{name}:1: a config must be a mapping of keys")
    return node


def parse(text: str, name: str, lines: bool = False, folder: Path | None = None) -> ConfigNode:
    """Parse a YAML text as a tree. Each origin is ``name``, or ``name:line`` with ``lines``.

    Variables are replaced if ``folder`` is given; it is the value of ``${CONFIG_DIR}``.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        _check_depth(text, name)
        root = yaml.compose(text)
        return _Reader(name, lines, folder).node(root) if root else ConfigNode(None, name)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"{name}:{mark.line + 1}" if mark and lines else name
        hint = "; inside { } or [ ] put quotes around ${...}" if "${" in text else ""
        raise UserError(f"{at}: not valid YAML: {error.problem or error.context}{hint}") from error
    except YAMLError as error:
        raise UserError(f"{name}: not valid YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise UserError(f"{name}: nested too deeply") from error


def has_comment(text: str) -> bool:
    """Whether a valid YAML text has a comment: a ``#`` that is in none of its tokens."""
    left = list(text)
    for token in YAML(typ="safe", pure=True).scan(text):
        start, end = token.start_mark.index, token.end_mark.index
        left[start:end] = " " * (end - start)
    return "#" in left


def _check_depth(text: str, name: str) -> None:
    """Refuse deep nesting early; the parser needs many seconds until its stack is full."""
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise UserError(f"{name}: nested too deeply")


class _Reader:
    def __init__(self, name: str, lines: bool, folder: Path | None) -> None:
        self.name, self.lines, self.folder, self.count = name, lines, folder, 0

    def node(self, raw: Any, key: Any = None, path: KeyPath = ()) -> ConfigNode:
        """A tree from ruamel's nodes; values of a mapping get the line of their key."""
        mark = (key or raw).start_mark
        origin = f"{self.name}:{mark.line + 1}" if self.lines else self.name
        self.count += 1
        if self.count > MAX_NODES:
            raise UserError(f"{origin}: more than {MAX_NODES} values, aliases expanded")
        if isinstance(raw, ScalarNode):
            value = scalar(raw, origin)
            if self.folder is None or not isinstance(value, str) or "${" not in value:
                return ConfigNode(value, origin)
            return ConfigNode(expand(value, origin, self.folder), origin, expanded=True)
        if str(raw.tag) not in (TAG + "map", TAG + "seq"):
            raise UserError(
                f"{origin}: tag '{raw.tag}' is not allowed; a config holds plain values"
            )
        if isinstance(raw, SequenceNode):
            items = [self.node(item, None, (*path, i)) for i, item in enumerate(raw.value)]
            return ConfigNode(items, origin)
        mapping: dict[str, ConfigNode] = {}
        for name, value in raw.value:
            if not isinstance(name, ScalarNode):
                raise UserError(f"{origin}: a key must be text")
            inner = (*path, name.value)
            item = self.node(value, name, inner)
            if name.value in mapping:
                raise ConfigError([Problem(inner, "written twice", item.origin)])
            mapping[name.value] = item
        return ConfigNode(mapping, origin)
