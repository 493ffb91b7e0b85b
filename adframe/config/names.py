"""Finds wrong names in a config before torch is imported: of components, keys and options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adframe.config.yaml_tree import ConfigNode
from adframe.errors import KeyPath, Problem, UnknownComponent, UserError, did_you_mean
from adframe.registry.registry import Registry
from adframe.registry.source import options_in_source

#: Key of a config -> kind of the component, or of each in the list; None for all other keys. It is
#: ``RunConfig`` without its types, which import torch; a test compares the two.
KEYS: dict[str, str | None] = {
    "seed": None, "dataset": "dataset", "outliers": "dataset", "exposure": None,
    "start": None, "backbone": "backbone", "shifts": "shift", "schedule": "schedule",
    "objective": None, "method": "method", "scorer": "scorer", "metrics": "metric",
    "decision": None, "validation": None, "observers": "observer", "optimizer": "optimizer",
    "train": None, "plugins": None,
}  # fmt: skip
#: The same for the sections: section -> its keys. That of ``objective`` is a list of such mappings.
SECTION_KEYS: dict[str, dict[str, str | None]] = {
    "objective": {"loss": "loss", "stages": None, "weight": None},
    "exposure": {"dataset": "dataset", "ratio": None},
    "start": {"weights": None, "init_from": None, "freeze": None},
    "decision": {
        "false_alarms": None, "recall": None, "best_f1": None, "calibration": None,
        "validation": None,
    },
    "validation": {"every": None, "share": None, "anomalies": "shift", "outliers": "dataset"},
    "train": {
        "epochs": None, "batch_size": None, "drop_last": None, "precision": None, "compile": None,
        "device": None, "checkpoint_every": None, "clip": None,
    },
}  # fmt: skip


def wrong_names(node: ConfigNode, registry: Registry) -> list[Problem]:
    """Problems of keys and component names of a composed config, and of options of components.

    A config without any may still be wrong: values are not checked, nor nested components, nor
    options that the source of a component does not name itself.
    """
    problems = [*_of_keys(node, KEYS, (), registry)]
    for section, keys in SECTION_KEYS.items():
        for at, item in _items(node.value.get(section), (section,)):
            if isinstance(item.value, dict):
                problems += _of_keys(item, keys, at, registry)
    return problems


def _of_keys(
    node: ConfigNode, keys: dict[str, str | None], path: KeyPath, registry: Registry
) -> Iterator[Problem]:
    """Problems of a mapping: its keys, and the components that are their values."""
    yield from _unknown(node, keys, path)
    for key, kind in keys.items():
        if key in node.value and kind is not None:
            yield from _of_kind(node.value[key], kind, (*path, key), registry)


def _of_kind(node: ConfigNode, kind: str, path: KeyPath, registry: Registry) -> Iterator[Problem]:
    for at, item in _items(node, path):
        name, of_name = item.value, at
        if isinstance(name, dict) and "name" in name:
            name, of_name = name["name"].value, (*at, "name")
        if not isinstance(name, str):
            continue
        try:
            options = options_in_source(registry.get(kind, name).target)
        except UnknownComponent as error:
            yield Problem(of_name, str(error))
        except UserError:  # two plugins claim it: validation gives the reason
            continue
        else:  # the optimizer may have keys that are names of groups
            if options is not None and isinstance(item.value, dict) and kind != "optimizer":
                yield from _unknown(item, ["name", *options, *_MORE.get(path[0], ())], at)


_MORE: dict[str | int, tuple[str, ...]] = {"dataset": ("set_name",), "outliers": ("set_name",)}


def _unknown(node: ConfigNode, known: Iterable[str], path: KeyPath) -> Iterator[Problem]:
    for key in node.value:
        if key not in known:
            names = [name for name in known if name != "name"]
            yield Problem((*path, key), "unknown key" + did_you_mean(str(key), names))


def _items(node: ConfigNode | None, path: KeyPath) -> Iterator[tuple[KeyPath, ConfigNode]]:
    if node is not None and isinstance(node.value, list):
        yield from (((*path, index), item) for index, item in enumerate(node.value))
    elif node is not None:
        yield path, node
