"""``adframe schema``: the JSON Schema of configs, for editors."""

from __future__ import annotations

import argparse
import json

from adframe.registry.loading import load_plugins

summary = "print the JSON Schema of configs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: the verb has no arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Print the schema, with the options of every installed component."""
    from adframe.config.json_schema import json_schema
    from adframe.io.terminal import error_line

    loaded = load_plugins(arguments.plugin, arguments.without)
    for plugin in loaded.registry.plugins:
        if plugin.error:
            error_line(plugin.note)
    print(json.dumps(json_schema(loaded.registry), indent=2))
    return 0
