"""``adframe reproduce``: runs a table at a budget and shows the published figures next to it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adframe.errors import Stopped, UserError
from adframe.io.paths import a_path
from adframe.io.terminal import Screen, error_line, stopped_line
from adframe.registry.loading import load_plugins

if TYPE_CHECKING:
    from adframe.tables.grid import Grid


summary = "run a table and compare it with published figures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare TABLE and the options for budget, cells, data and output."""
    parser.add_argument("table", metavar="TABLE", help="table1 ... table6, or a table file")
    parser.add_argument(
        "--budget", default="smoke", metavar="NAME", help="smoke, short, full or another (smoke)"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="CELL", help="ROW[/TASK[/SEED]], with *"
    )
    parser.add_argument(
        "--data", type=a_path, default=Path("data"), metavar="ROOT", help="folder of images (data)"
    )
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds 0 to N-1, not the budget's")
    parser.add_argument("--out", type=a_path, metavar="DIR", help="folder (runs/TABLE-BUDGET)")
    parser.add_argument(
        "--recorded",
        type=a_path,
        action="append",
        default=[],
        metavar="FILE",
        help="table.json of another folder: finished runs that need not run here",
    )
    on(parser)
    parser.add_argument("--dry-run", action="store_true", help="print cells and cost, run none")
    parser.add_argument("--json", action="store_true", help="print JSON")


def on(parser: argparse.ArgumentParser) -> None:
    """Declare ``--on``."""
    parser.add_argument(
        "--on",
        default="local",
        metavar="WHERE",
        help="local (default), local:N processes, ray, submitit",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the cells of a table that are not done yet, and show the table."""
    from adframe.tables.definition import read_table
    from adframe.tables.files import find_table
    from adframe.tables.grid import make_grid
    from adframe.tables.recorded import with_recorded

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
    grid = with_recorded(grid, arguments.recorded, Screen(sys.stderr).line)
    if arguments.dry_run:
        return _dry_run(grid, arguments.json)
    return run_grid(grid, arguments.on, arguments.json)


def run_grid(grid: Grid, where: str, as_json: bool) -> int:
    """Run the cells of a grid that are not done yet, and show the table; the exit status."""
    from adframe.engine.memory import keep_freed_memory
    from adframe.jobs.executors import executor
    from adframe.tables.execute import execute
    from adframe.tables.markdown import markdown
    from adframe.tables.screen import show_markdown

    keep_freed_memory()
    try:
        facts, failures = execute(grid, Screen(sys.stderr).line, executor(where))
    except Stopped as stopped:  # Ctrl-C or SIGTERM
        return stopped_line(stopped)
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        show_markdown(Screen(), markdown(facts))
        Screen().line(f"written: {grid.out / 'table.md'}, {grid.out / 'table.json'}")
    for name, reason in failures.items():
        error_line(f"{grid.table.name}: {name} failed: {reason}")
    return 1 if failures else 0


def _dry_run(grid: Grid, as_json: bool) -> int:
    from adframe.tables.cost import Costs
    from adframe.tables.results import read_result
    from adframe.tables.screen import show_table

    costs, rows = Costs(), []
    for cell in grid.chosen:
        size, result = grid.table.file.tasks[cell.task.group].size, read_result(cell)
        passes = costs.passes(cell.config, cell.images, size)
        facts = {
            "cell": cell.name,
            "status": "recorded" if result.recorded else result.status,
            "epochs": cell.config.train.epochs,
            "images": cell.images,
            "view_passes": passes,
            "folder": str(cell.folder),
        }
        rows.append((facts, passes or 0.0))
    if as_json:
        print(json.dumps([facts for facts, _ in rows], indent=2))
        return 0
    screen, head = Screen(), ["cell", "status", "epochs", "images", "view passes"]
    lines = [
        [*(str(facts[key]) for key in head[:4]), _passes(facts["view_passes"])] for facts, _ in rows
    ]
    show_table(screen, head, lines)
    left = [passes for facts, passes in rows if facts["status"] not in ("done", "recorded")]
    whole = _passes(sum(passes for _, passes in rows))
    screen.line(f"{len(rows)} cells, {whole} view passes; to do: {len(left)}, {_passes(sum(left))}")
    screen.line(
        "A view pass is one view of one image through the whole network of that run, forward and "
        "backward; a view that stops at stage i counts as the share of the arithmetic that stages "
        "1..i have. Training only: epochs x images (as the table declares them, whole batches) x "
        "views."
    )
    return 0


def _passes(number: Any) -> str:
    return "not counted" if number is None else f"{number:,.0f}"
