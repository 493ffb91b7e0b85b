"""``adframe list``, ``show``, ``plugins`` and ``schema``: what is installed, and how to use it."""

from __future__ import annotations

import argparse
import json
import sys
from fnmatch import fnmatchcase
from textwrap import fill, indent
from typing import Any

from adframe.config.bundled import configs_folder
from adframe.errors import PluginFault, UserError, did_you_mean
from adframe.registry.loading import LoadedPlugins, load_plugins
from adframe.registry.registry import KINDS


def _loaded(arguments: argparse.Namespace) -> LoadedPlugins:
    return load_plugins(arguments.plugin, arguments.without)


def _kind(name: str) -> str:
    if name not in KINDS:
        hint = did_you_mean(name, KINDS)
        raise UserError(f"no kind '{name}'{hint} (there is: {', '.join(KINDS)})")
    return name


def _wrapped(text: str, margin: str) -> str:
    return fill(text, 100, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)


def _warn(loaded: LoadedPlugins) -> None:
    for plugin in loaded.registry.plugins:
        if plugin.error:
            print(plugin.note, file=sys.stderr)


def list_components(arguments: argparse.Namespace) -> int:
    """Every component on offer, grouped by kind; none is imported."""
    wanted = arguments.kind or "*"
    if not set(wanted) & set("*?["):
        wanted = f"{_kind(wanted)}/*"
    loaded = _loaded(arguments)
    entries = [
        entry
        for entry in loaded.registry
        if fnmatchcase(entry.name, wanted) or fnmatchcase(f"{entry.kind}/{entry.name}", wanted)
    ]
    rows: list[dict[str, Any]] = [
        {
            "kind": entry.kind,
            "name": entry.name,
            "plugin": entry.plugin.name,
            "version": entry.plugin.version,
            "summary": entry.summary(),
        }
        for entry in entries
    ]
    _warn(loaded)
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    width = max((len(row["name"]) for row in rows), default=0) + 2
    shown = None
    for row, entry in zip(rows, entries, strict=True):
        if row["kind"] != shown:
            shown = row["kind"]
            print(f"{'' if row is rows[0] else chr(10)}{shown}: {KINDS[shown][1]}")
        marks = [] if entry.plugin.bundled else [f"from {entry.plugin.name}"]
        marks += ["default"] if entry.default else []
        mark = f" [{', '.join(marks)}]" if marks else ""
        print(f"  {row['name']:<{width}}{row['summary']}{mark}")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """One component: what it is, its options, where it is from."""
    loaded = _loaded(arguments)
    entry = loaded.registry.get(_kind(arguments.kind), arguments.name)

    from adframe.config.describe import describe, used_by

    try:
        facts = describe(entry, loaded.registry)
    except PluginFault as error:
        print(error, file=sys.stderr)
        return 1
    facts["used_by"] = used_by(entry, configs_folder(), loaded)
    if arguments.json:
        print(json.dumps(facts, indent=2))
        return 0
    print(f"{facts['kind']} {facts['name']}: {facts['summary']}")
    third_party = "" if entry.plugin.bundled else f", from {entry.plugin.origin}"
    print(f"plugin {facts['plugin']} {facts['version']}{third_party}")
    print(f"{facts['source']}\n\n{facts['signature']}\n")
    if facts["text"]:
        print(facts["text"] + "\n")
    for option in facts["options"]:
        default = "required" if option["required"] else f"default {json.dumps(option['default'])}"
        print(f"  {option['name']}: {option['type']}, {default}")
        source = f"[{option['provenance']}] " if option["provenance"] else ""
        if source or option["doc"]:
            print(_wrapped(source + option["doc"], " " * 6))
    if not facts["options"]:
        print("  no options")
    print(f"\nIn a config:\n\n{indent(facts['example'], '  ')}", end="")
    if facts["used_by"]:
        print(f"\nUsed by: {', '.join(facts['used_by'])}")
    return 0


def plugins(arguments: argparse.Namespace) -> int:
    """Every plugin found, with what it brings or why it did not load."""
    loaded = _loaded(arguments)
    brings: dict[str, list[str]] = {plugin.key: [] for plugin in loaded.registry.plugins}
    for entry in loaded.registry:
        brings[entry.plugin.key].append(f"{entry.kind} {entry.name}")
    rows: list[dict[str, Any]] = [
        {
            "name": plugin.name,
            "version": plugin.version,
            "origin": plugin.origin,
            "from": "entry point" if plugin.owner else "file",
            "bundled": plugin.bundled,
            "components": brings[plugin.key],
            "hooks": loaded.hooks(plugin),
            "error": plugin.error,
        }
        for plugin in loaded.registry.plugins
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        third_party = "" if row["bundled"] else " [third party]"
        print(f"{row['name']} {row['version']}  {row['from']} {row['origin']}{third_party}")
        if row["error"]:
            print(f"  did not load: {row['error']}")
            continue
        content = [*row["components"], *(f"hook {name}" for name in row["hooks"])]
        print(_wrapped(", ".join(content) or "nothing", "  "))
    return 0


def schema(arguments: argparse.Namespace) -> int:
    """The JSON Schema of configs, with every installed component's options."""
    loaded = _loaded(arguments)

    from adframe.config.json_schema import json_schema

    _warn(loaded)
    print(json.dumps(json_schema(loaded.registry), indent=2))
    return 0
