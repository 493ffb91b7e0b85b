"""``adframe list``: lists the available components."""

from __future__ import annotations

import argparse
import json
from fnmatch import fnmatchcase

from adframe.cli import options
from adframe.io.terminal import Screen, error_line
from adframe.registry.loading import load_plugins
from adframe.registry.registry import KINDS, Entry, check_kind

summary = "list components, all or of one kind"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare KIND, which may be a glob, and ``--json``."""
    argument = parser.add_argument(
        "kind", nargs="?", metavar="KIND", help="loss, ..., or a glob: '*clr'"
    )
    options.completes(argument, lambda _: KINDS)
    options.as_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print components grouped by kind, without importing them."""
    wanted = arguments.kind or "*"
    if not set(wanted) & set("*?["):
        check_kind(wanted)
        wanted = f"{wanted}/*"
    registry = load_plugins(arguments.plugin, arguments.without).registry
    entries = [
        entry
        for entry in registry
        if fnmatchcase(entry.name, wanted) or fnmatchcase(f"{entry.kind}/{entry.name}", wanted)
    ]
    for plugin in registry.plugins:
        if plugin.error:
            error_line(plugin.note)
    if arguments.json:
        print(json.dumps([_row(entry) for entry in entries], indent=2))
    else:
        _print(entries)
    return 0


def _row(entry: Entry) -> dict[str, str]:
    plugin = entry.plugin
    return {
        "kind": entry.kind,
        "name": entry.name,
        "plugin": plugin.name,
        "version": plugin.version,
        "summary": entry.summary(),
    }


def _print(entries: list[Entry]) -> None:
    screen = Screen()
    width = max((len(entry.name) for entry in entries), default=0) + 2
    shown = ""
    for entry in entries:
        if entry.kind != shown:
            if shown:
                screen.line()
            shown = entry.kind
            screen.line(KINDS[shown][1], head=f"{shown}: ", of_head="bold")
        marks = [] if entry.plugin.bundled else [f"from {entry.plugin.name}"]
        marks += ["default"] if entry.default else []
        mark = f" [{', '.join(marks)}]" if marks else ""
        screen.line(entry.summary() + mark, head=f"  {entry.name:<{width}}", of_head="cyan")
