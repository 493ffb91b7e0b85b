"""``adframe sweep``: runs a config with each of several values, and shows a table."""

from __future__ import annotations

import argparse
from pathlib import Path

from adframe.cli import options
from adframe.errors import UserError
from adframe.io.paths import a_path
from adframe.tables.verb import on, run_grid

summary = "run a config with each of several values"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare CONFIG, ``--over``, ``--seeds``, ``--on`` and ``--out``."""
    options.config(parser)
    parser.add_argument(
        "--over",
        action="append",
        required=True,
        metavar="KEY=V1,V2",
        help="values of a key; given several times: every combination",
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds 0 to N-1 (1)")
    parser.add_argument("--out", type=a_path, metavar="DIR", help="folder (runs/CONFIG-sweep)")
    on(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run every combination that is not done yet, and show the table."""
    from adframe.tables.grid import make_grid
    from adframe.tables.sweep import NAME, table_of, written

    if arguments.seeds < 1:
        raise UserError("--seeds: at least 1")
    config = options.load(arguments)
    out = arguments.out or Path("runs") / f"{arguments.config.stem}-sweep"
    metrics = [spec.entry.name for spec in config.metrics]
    content = table_of(arguments.config, arguments.over, arguments.set, arguments.seeds, metrics)
    table, plugins = written(content, out), config.plugins
    grid = make_grid(table, NAME, out, Path(), config.loaded, plugins=plugins, need_data=False)
    return run_grid(grid, arguments.on, arguments.json)
