"""Runs the cells of a grid one after the other; a cell that fails does not stop the others."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

from adframe.engine.runner import run
from adframe.errors import TrainingError, UserError
from adframe.io import atomic
from adframe.tables.grid import Cell, Grid
from adframe.tables.markdown import markdown
from adframe.tables.results import read_result
from adframe.tables.summary import summary


def execute(grid: Grid, report: Callable[[str], None]) -> tuple[dict[str, Any], dict[str, str]]:
    """Run the selected cells that are not done; rewrites the table after each.

    A cell that was started continues from its last checkpoint. If a cell fails, this is reported
    and the others still run.

    Returns:
        the content of ``table.json``, and cell name -> reason for each cell that failed.

    Raises:
        UserError: the table's folder cannot be written.
    """
    failures: dict[str, str] = {}
    facts = write(grid, failures)
    for number, cell in enumerate(grid.chosen, 1):
        head = f"[{number}/{len(grid.chosen)}] {cell.name}"
        if read_result(cell).status == "done":
            continue
        report(f"{head} ...")
        reason = _run(cell)
        if reason:
            failures[cell.name] = reason
            report(f"{head} failed: {reason}")
        else:
            result = read_result(cell)
            report(f"{head} AUROC {result.value(None) or 0:.1f} after {result.seconds or 0:.0f} s")
        facts = write(grid, failures)
    return facts, failures


def _run(cell: Cell) -> str:
    """Run a cell; returns the reason of a failure, or an empty text."""
    try:
        failed = run(cell.config, cell.folder, resume=True).failed
    except (UserError, TrainingError) as error:
        return " ".join(str(error).split())
    except Exception as error:  # one broken cell must not stop the others
        traceback.print_exc(file=sys.stderr)
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return "; ".join(f"{name}: {reason}" for name, reason in failed.items())


def write(grid: Grid, failures: dict[str, str]) -> dict[str, Any]:
    """Write ``table.json`` and ``table.md`` from the run folders; returns the former."""
    facts = summary(grid, failures)
    try:
        grid.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{grid.out}: cannot be created: {error.strerror or error}") from error
    atomic.write(grid.out / "table.json", json.dumps(facts, indent=2) + "\n")
    atomic.write(grid.out / "table.md", markdown(facts))
    return facts
