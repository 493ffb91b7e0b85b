"""``adframe show``: a component or a section of a config, with every option."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from adframe.cli import options
from adframe.config.bundled import configs_folder
from adframe.errors import PluginFault, UserError
from adframe.io.terminal import Screen, error_line
from adframe.registry.loading import load_plugins
from adframe.registry.registry import KINDS, check_kind

#: Sections of a config that are not components; named here, since ``describe`` imports torch.
SECTIONS = ("config", "train", "objective", "exposure", "decision", "start", "validation")
summary = "show a component or a section of a config, with options"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare KIND and NAME, or SECTION, and ``--json``."""
    kind = parser.add_argument("kind", metavar="KIND", help=f"{', '.join(KINDS)}; or a section")
    name = parser.add_argument(
        "name", nargs="?", metavar="NAME", help=f"of a component; none for {', '.join(SECTIONS)}"
    )
    options.completes(kind, lambda _: [*KINDS, *SECTIONS])
    options.completes(name, lambda before: load_plugins().registry.names(before.kind))
    options.as_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the description of a component or a config section, with its options."""
    loaded = load_plugins(arguments.plugin, arguments.without)
    if arguments.name is None and arguments.kind not in KINDS:
        return _section(arguments, loaded.registry)
    check_kind(arguments.kind)
    if arguments.name is None:
        names = ", ".join(loaded.registry.names(arguments.kind))
        raise UserError(f"show {arguments.kind}: name one of {names}")
    entry = loaded.registry.get(arguments.kind, arguments.name)

    from adframe.config.describe import describe
    from adframe.config.usage import used_by

    try:
        facts = describe(entry, loaded.registry)
    except PluginFault as error:
        error_line(error)
        return 1
    facts["used_by"] = used_by(entry, configs_folder(), loaded)
    if arguments.json:
        print(json.dumps(facts, indent=2))
        return 0
    screen = Screen()
    screen.line(facts["summary"], head=f"{facts['kind']} {facts['name']}: ", of_head="bold cyan")
    third_party = "" if entry.plugin.bundled else f", from {entry.plugin.origin}"
    screen.line(f"plugin {facts['plugin']} {facts['version']}{third_party}")
    screen.line(facts["source"])
    screen.line()
    screen.line(facts["signature"])
    screen.line()
    if facts["text"]:
        _paragraphs(screen, facts["text"])
        screen.line()
    for option in facts["options"]:
        _option(screen, option)
    if not facts["options"]:
        screen.line("  no options")
    screen.line()
    screen.line("In a config:")
    screen.line()
    screen.block("\n".join(f"  {line}" for line in facts["example"].splitlines()))
    if facts["used_by"]:
        screen.line()
        screen.line(", ".join(facts["used_by"]), head="Used by: ")
    return 0


def _section(arguments: argparse.Namespace, registry: Any) -> int:
    from adframe.config.describe import describe_section

    facts = describe_section(arguments.kind, registry)
    if arguments.json:
        print(json.dumps(facts, indent=2))
        return 0
    screen = Screen()
    head, _, rest = facts["summary"].partition("\n")
    screen.line(head, head=f"{arguments.kind}: ", of_head="bold cyan")
    if rest.strip():
        screen.line()
        _paragraphs(screen, rest.strip())
    screen.line()
    for key in facts["keys"]:
        _option(screen, key)
    return 0


def _option(screen: Screen, option: dict[str, Any]) -> None:
    from adframe.config.describe import KIND_DEFAULT

    value = option["default"]
    value = value if value == KIND_DEFAULT else json.dumps(value)
    default = "required" if option["required"] else f"default {value}"
    screen.line(f"{option['type']}, {default}", head=f"  {option['name']}: ", of_head="cyan")
    provenance = f"[{option['provenance']}] " if option.get("provenance") else ""
    if provenance or option["doc"]:
        screen.line(provenance + option["doc"], head=" " * 6)


def _paragraphs(screen: Screen, text: str) -> None:
    """Print a docstring. On a terminal, paragraphs are re-wrapped; lists and formulas are not."""
    if screen.console is not None:
        text = re.sub(r"(?<=[^\n:])\n(?=[^\s\-*\d])", " ", text)
    for line in text.splitlines():
        screen.line(line.lstrip(), head=line[: len(line) - len(line.lstrip())])
