"""``adframe reproduce``: a table of runs, at a budget, beside the published figures."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adframe.errors import UserError
from adframe.registry.loading import load_plugins

if TYPE_CHECKING:
    from adframe.tables.grid import Grid


def reproduce(arguments: argparse.Namespace) -> int:
    """Run the cells of a table that are not done yet, and show the table."""
    from adframe.tables.definition import read_table
    from adframe.tables.files import find_table
    from adframe.tables.grid import make_grid

    if arguments.seeds is not None and arguments.seeds < 1:
        raise UserError("--seeds: at least 1")
    table = read_table(find_table(arguments.table))
    table.budget(arguments.budget)  # before anything costly
    loaded = load_plugins(arguments.plugin, arguments.without)
    out = arguments.out or Path("runs") / f"{table.name}-{arguments.budget}"
    grid = make_grid(
        table,
        arguments.budget,
        out,
        arguments.data,
        loaded,
        arguments.seeds,
        arguments.only,
        arguments.plugin,
        need_data=not arguments.dry_run,
    )
    if arguments.dry_run:
        return _dry_run(grid, arguments.json)
    return _run(grid, arguments.json)


def _run(grid: Grid, as_json: bool) -> int:
    from adframe.cli.commands.run import _keep_freed_memory
    from adframe.tables.execute import execute
    from adframe.tables.markdown import markdown

    _keep_freed_memory()
    try:
        facts, failures = execute(grid, lambda line: print(line, file=sys.stderr, flush=True))
    except KeyboardInterrupt as stopped:  # Ctrl-C or SIGTERM
        print(f"{str(stopped) or 'interrupted'}; the same command goes on", file=sys.stderr)
        return getattr(stopped, "status", 130)
    print(json.dumps(facts, indent=2) if as_json else markdown(facts))
    if not as_json:
        print(f"written: {grid.out / 'table.md'}, {grid.out / 'table.json'}")
    for name, reason in failures.items():
        print(f"{grid.table.name}: {name} failed: {reason}", file=sys.stderr)
    return 1 if failures else 0


def _dry_run(grid: Grid, as_json: bool) -> int:
    from adframe.tables.cost import Costs
    from adframe.tables.results import read_result

    costs, rows = Costs(), []
    for cell in grid.chosen:
        size = grid.table.file.tasks[cell.task.group].size
        passes = costs.passes(cell.config, cell.images, size)
        facts = {
            "cell": cell.name,
            "status": read_result(cell).status,
            "epochs": cell.config.train.epochs,
            "images": cell.images,
            "view_passes": passes,
            "folder": str(cell.folder),
        }
        rows.append((facts, passes or 0.0))
    if as_json:
        print(json.dumps([facts for facts, _ in rows], indent=2))
        return 0
    line = "{cell:<28} {status:<14} {epochs:>7} {images:>7} {passes:>15}".format
    print(
        line(cell="cell", status="status", epochs="epochs", images="images", passes="view passes")
    )
    for facts, _ in rows:
        print(line(passes=_passes(facts["view_passes"]), **facts))
    left = [passes for facts, passes in rows if facts["status"] != "done"]
    whole = _passes(sum(passes for _, passes in rows))
    print(f"{len(rows)} cells, {whole} view passes; to do: {len(left)}, {_passes(sum(left))}")
    print(
        "A view pass is one view of one image through the whole network of that run, forward and\n"
        "backward; a view that stops at stage i counts as the share of the arithmetic that stages\n"
        "1..i have. Training only: epochs x images (as the table declares them, whole batches) x "
        "views."
    )
    return 0


def _passes(number: Any) -> str:
    return "not counted" if number is None else f"{number:,.0f}"
