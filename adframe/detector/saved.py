"""Detectors as one file: without data, with the plugins that it needs by name, version and hash."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from adframe.config.model import RunConfig, validate_tree
from adframe.config.specs import ComponentSpec
from adframe.config.yaml_tree import escaped, parse, to_yaml
from adframe.engine import model_file
from adframe.engine.checkpoint import check_format
from adframe.errors import ConfigError, UserError
from adframe.io.folders import check_no_run_file
from adframe.io.paths import as_list
from adframe.io.read import read_bytes
from adframe.io.tensors import read_tensors, write_tensors
from adframe.registry.loading import LoadedPlugins, load_plugins
from adframe.registry.registry import Plugin

logger = logging.getLogger("adframe")

KEY = "detector"  # of the facts of the file, which a run folder's model lacks


def write(path: Path, config: RunConfig, model: model_file.Model) -> None:
    """Write a model and all of its config that scoring needs.

    Raises:
        UserError: the file cannot be written.
    """
    check_no_run_file(path)
    tensors, facts = model
    kept: dict[str, Any] = {"outliers": [], "metrics": [], "start": None}
    fields = {name: getattr(config, name) for name in type(config).model_fields}
    needed = {
        plugin.key: _identity(plugin)
        for plugin in sorted(_plugins({**fields, **kept}), key=lambda plugin: plugin.key)
    }
    text = to_yaml(escaped({**config.dump(), **kept, "plugins": []}))
    own = {"config": text, "plugins": list(needed.values())}
    write_tensors(path, tensors, {**facts, "config": {}, KEY: own})


def read(
    path: Path, plugins: str | Path | Iterable[str | Path] = (), without: str | Iterable[str] = ()
) -> tuple[RunConfig, model_file.Model]:
    """Read the config and the model of such a file.

    Args:
        path: the file.
        plugins: the one-file plugins that it needs.
        without: names of plugins to exclude.

    Raises:
        UserError: it is damaged or no such file, or a plugin is missing; one line.
    """
    tensors, facts = read_tensors(path)
    check_format(path, facts)
    own = facts.get(KEY)
    if not isinstance(own, dict):
        raise UserError(f"{path}: not a saved detector; pass the folder of the run")
    model_file.check_facts(path, facts)
    try:
        loaded = load_plugins(as_list(plugins), as_list(without))
        _check_plugins(path, own["plugins"], loaded)
        node = parse(own["config"], f"{path} (its config)")
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"{path}: damaged: {error}") from error
    try:
        config = validate_tree(node, str(path), loaded=loaded)
    except ConfigError as error:
        first = str(error).splitlines()[0]
        raise UserError(f"{path}: its config does not fit the plugins here: {first}") from error
    return config, (tensors, facts)


def _check_plugins(path: Path, needed: list[Mapping[str, str]], loaded: LoadedPlugins) -> None:
    """Refuse a file whose plugins are missing; warn where they are others than it was saved with.

    Raises:
        UserError: a plugin is missing.
    """
    here = {(plugin.name, plugin.owner): plugin for plugin in loaded.registry.plugins}
    changed = []
    for wanted in needed:
        name, owner, version = wanted["name"], wanted["owner"], wanted["version"]
        plugin = here.get((name, owner))
        if plugin is None and owner:
            raise UserError(f"{path}: needs plugin '{name}' of {owner} {version}: not installed")
        if plugin is None:
            raise UserError(f"{path}: needs the plugin file {name}.py; pass it as a plugin")
        if plugin.error:
            raise UserError(f"{path}: {plugin.note}")
        if _identity(plugin) != wanted:
            changed.append(f"{name} {plugin.version}".strip())
    if changed:
        logger.warning(
            "%s: was saved with other versions of the plugins %s; scores may differ",
            path, ", ".join(changed),
        )  # fmt: skip


def _plugins(value: Any) -> Iterator[Plugin]:
    """Plugins of all components in a config."""
    if isinstance(value, ComponentSpec):
        yield value.entry.plugin
        yield from _plugins(value.options)
    elif isinstance(value, BaseModel):
        yield from _plugins(dict(value))
    elif isinstance(value, Mapping):
        yield from _plugins(list(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _plugins(item)


def _identity(plugin: Plugin) -> dict[str, str]:
    """Name, distribution, version, and SHA-256 of the source of a plugin."""
    digest = hashlib.sha256()
    for file in _sources(plugin):
        digest.update(os.path.basename(file).encode() + b"\0" + read_bytes(file))
    about = {"name": plugin.name, "owner": plugin.owner, "version": plugin.version}
    return {**about, "sha256": digest.hexdigest()}


def _sources(plugin: Plugin) -> list[str]:
    if not plugin.owner:
        return [plugin.origin]
    spec = importlib.util.find_spec(plugin.package) if plugin.package else None
    folders = (spec and spec.submodule_search_locations) or ()
    return sorted(str(file) for folder in folders for file in Path(folder).rglob("*.py"))
