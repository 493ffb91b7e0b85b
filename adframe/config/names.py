"""Finds wrong names in a config before torch is imported: component names, and keys of the top."""

from __future__ import annotations

from collections.abc import Iterator

from adframe.config.yaml_tree import ConfigNode
from adframe.errors import KeyPath, Problem, UnknownComponent, did_you_mean
from adframe.registry.registry import Registry

#: Key of a config -> kind of the component, or of each in the list; None for all other keys. It is
#: ``RunConfig`` without its types, which import torch; a test compares the two.
KEYS: dict[str, str | None] = {
    "seed": None, "dataset": "dataset", "outliers": "dataset", "exposure": None,
    "start": None, "backbone": "backbone", "shifts": "shift", "schedule": "schedule",
    "objective": None, "method": "method", "scorer": "scorer", "metrics": "metric",
    "decision": None, "optimizer": "optimizer", "train": None, "plugins": None,
}  # fmt: skip


def wrong_names(node: ConfigNode, registry: Registry) -> list[Problem]:
    """Problems of the keys of a composed config, and of the names that stand right below them.

    A config without any may still be wrong: nested components, options and values are not checked.
    """
    problems: list[Problem] = []
    for key, kind in KEYS.items():
        if key in node.value and kind is not None:
            problems += _of_kind(node.value[key], kind, (key,), registry)
    for path, kind in (("objective", "loss"), ("exposure", "dataset")):
        for at, term in _items(node.value.get(path), (path,)):
            if isinstance(term.value, dict) and kind in term.value:
                problems += _of_kind(term.value[kind], kind, (*at, kind), registry)
    return problems + [
        Problem((key,), "unknown key" + did_you_mean(str(key), KEYS))
        for key in node.value
        if key not in KEYS
    ]


def _of_kind(node: ConfigNode, kind: str, path: KeyPath, registry: Registry) -> Iterator[Problem]:
    for at, item in _items(node, path):
        name, of_name = item.value, at
        if isinstance(name, dict) and "name" in name:
            name, of_name = name["name"].value, (*at, "name")
        if isinstance(name, str):
            try:
                registry.get(kind, name)
            except UnknownComponent as error:
                yield Problem(of_name, str(error))


def _items(node: ConfigNode | None, path: KeyPath) -> Iterator[tuple[KeyPath, ConfigNode]]:
    if node is not None and isinstance(node.value, list):
        yield from (((*path, index), item) for index, item in enumerate(node.value))
    elif node is not None:
        yield path, node
