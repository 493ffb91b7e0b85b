"""``adframe plugins``: lists installed plugins and verbs, with their errors."""

from __future__ import annotations

import argparse
import json
from typing import Any

from adframe.cli import options
from adframe.errors import PluginFault
from adframe.io.terminal import Screen
from adframe.registry.loading import load_plugins
from adframe.registry.registry import Plugin, reason
from adframe.registry.verbs import VerbEntry, find_verbs

summary = "list plugins and commands, with their errors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json``."""
    options.as_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print every plugin and verb, with its components and hooks or its loading error."""
    loaded = load_plugins(arguments.plugin, arguments.without)
    brings: dict[str, list[str]] = {plugin.key: [] for plugin in loaded.registry.plugins}
    for entry in loaded.registry:
        brings[entry.plugin.key].append(f"{entry.kind} {entry.name}")
    rows = []
    for plugin in loaded.registry.plugins:
        content = {"components": brings[plugin.key], "hooks": loaded.hooks(plugin)}
        found_as = "entry point" if plugin.owner else "file"
        rows.append(_row(plugin, found_as, plugin.error, **content))
    rows += [_verb(verb, claims) for claims in find_verbs().values() for verb in claims]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    screen = Screen()
    for row in rows:
        third_party = "" if row["bundled"] else " [third party]"
        head = f"{row['name']} {row['version']}  "
        screen.line(f"{row['from']} {row['origin']}{third_party}", head=head, of_head="cyan")
        if row["error"]:
            screen.line(f"did not load: {row['error']}", head="  ", style="red")
        else:
            offers = [*row["components"], *(f"hook {name}" for name in row["hooks"])]
            screen.line(row.get("summary") or ", ".join(offers) or "nothing", head="  ")
    return 0


def _verb(verb: VerbEntry, claims: list[VerbEntry]) -> dict[str, Any]:
    """Row of one verb. Imports the verb to find out whether it works."""
    text, error = "", None
    others = [other.origin for other in claims if other is not verb and not verb.bundled]
    try:
        text = verb.load().summary
        error = f"the name is claimed by {', '.join(others)} too" if others else None
    except PluginFault as fault:
        error = reason(fault.__cause__ or fault)
    return _row(verb, "command", error, summary=text)


def _row(
    found: Plugin | VerbEntry, found_as: str, error: str | None, **more: Any
) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.version,
        "origin": found.origin,
        "from": found_as,
        "bundled": found.bundled,
        "components": [],
        "hooks": [],
        **more,
        "error": error,
    }
