"""``adframe configs``: the bundled configs."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from adframe.cli import options
from adframe.config.bundled import bundled_configs
from adframe.io.terminal import Screen

summary = "list the bundled configs, with purpose and cost"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json``."""
    options.as_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print name, cost and purpose of each bundled config that can be run unchanged."""
    rows = [
        {"name": name, "purpose": purpose(path), **cost(path)}
        for name, path in bundled_configs().items()
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    screen = Screen()
    for row in rows:
        size = f"{row['epochs']} epochs, {row['dataset']}, {row['backbone']}"
        screen.line(size, head=f"{row['name']}  ", of_head="bold cyan", style="dim")
        screen.line(row["purpose"], head="  ")
    return 0


def purpose(path: Path) -> str:
    """First sentence of the comment at the top of a config."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# yaml-language-server:"):
            words += line.lstrip("# ").split()
    return re.split(r"(?<=\.)\s", " ".join(words))[0]


def cost(path: Path) -> dict[str, Any]:
    """Epochs, images and network of a config, which decide how long a run takes."""
    from adframe.config.compose import compose

    tree = compose(path).plain()
    network = _table(tree.get("backbone"))
    numbers = [f"{key} {value}" for key, value in network.items() if key != "name"]
    size = f" ({', '.join(numbers)})" if numbers else ""
    return {
        "epochs": _table(tree.get("train")).get("epochs"),
        "dataset": _table(tree.get("dataset")).get("name"),
        "backbone": f"{network.get('name', 'default network')}{size}",
    }


def _table(value: Any) -> dict[str, Any]:
    """Section of a config as a mapping; a component name alone becomes a mapping too."""
    return value if isinstance(value, dict) else {"name": value} if value else {}
