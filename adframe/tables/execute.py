"""Runs the cells of a grid by an executor; a cell that fails does not stop the others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from adframe.errors import Stopped, UserError
from adframe.io import atomic
from adframe.io.paths import make_folders
from adframe.jobs.executors import Executor
from adframe.jobs.job import RunJob
from adframe.jobs.local import LocalExecutor
from adframe.tables.grid import Cell, Grid
from adframe.tables.markdown import markdown
from adframe.tables.results import read_result
from adframe.tables.summary import summary

PAUSE = 1.0  # seconds until cells that other processes run are tried again


def execute(
    grid: Grid, report: Callable[[str], None], executor: Executor | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Run the selected cells that are not done; rewrites the table after each.

    A cell that was started continues from its last checkpoint. If a cell fails, this is reported
    and the others still run. Several processes may run one table: a cell that another one runs is
    looked at again at the end, until it is done or free.

    Returns:
        the content of ``table.json``, and cell name -> reason for each cell that failed.

    Raises:
        UserError: the table's folder cannot be written.
        Stopped: a signal stopped a cell.
    """
    executor = executor or LocalExecutor()
    failures: dict[str, str] = {}
    write(grid, failures)
    left = list(enumerate(grid.chosen, 1))
    waiting = False
    while left:
        left = [(number, cell) for number, cell in left if read_result(cell).status != "done"]
        held = []
        jobs = [RunJob(cell.config, cell.folder) for _, cell in left]
        with closing(executor.run(jobs)) as ends:
            for index, ended in ends:
                number, cell = left[index]
                head = f"[{number}/{len(grid.chosen)}] {cell.name}"
                if ended is None:
                    if not waiting:
                        report(f"{head} ...")
                elif ended.status == "held":
                    held.append((number, cell))
                elif ended.status == "stopped":
                    raise Stopped(ended.number, ended.reason)
                else:
                    if ended.reason:
                        failures[cell.name] = ended.reason
                        report(f"{head} failed: {ended.reason}")
                    else:
                        report(f"{head} {_outcome(cell)}")
                    write(grid, failures)
        if held and not waiting:
            report(f"waiting for other processes, which run {_names(held)}")
        left, waiting = sorted(held, key=lambda each: each[0]), True
        if left:
            time.sleep(PAUSE)
    facts = write(grid, failures)
    done = {cell.name for cell in grid.chosen if read_result(cell).status == "done"}
    return facts, {name: reason for name, reason in failures.items() if name not in done}


def _outcome(cell: Cell) -> str:
    result = read_result(cell)
    value = result.value(None)
    auroc = "no AUROC" if value is None else f"AUROC {value:.1f}"
    return f"{auroc} after {result.seconds or 0:.0f} s"


def _names(held: list[tuple[int, Cell]]) -> str:
    names = [cell.name for _, cell in held]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def write(grid: Grid, failures: dict[str, str]) -> dict[str, Any]:
    """Write ``table.json`` and ``table.md`` from the run folders; returns the former."""
    facts = summary(grid, failures)
    try:
        make_folders(grid.out)
    except OSError as error:
        raise UserError(f"{grid.out}: cannot be created: {error.strerror or error}") from error
    atomic.write(grid.out / "table.json", json.dumps(facts, indent=2) + "\n")
    atomic.write(grid.out / "table.md", markdown(facts))
    return facts
