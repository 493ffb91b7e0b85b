"""Runs the cells of a grid one after the other; a cell that fails does not stop the others."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from adframe.engine.runner import run_locked
from adframe.errors import TrainingError, UserError
from adframe.io import atomic
from adframe.io.locks import FolderInUse, lock_folder
from adframe.io.paths import make_folders
from adframe.registry.blame import blame, show_traceback
from adframe.tables.grid import Cell, Grid
from adframe.tables.markdown import markdown
from adframe.tables.results import read_result
from adframe.tables.summary import summary

PAUSE = 1.0  # seconds until cells that other processes run are tried again


def execute(grid: Grid, report: Callable[[str], None]) -> tuple[dict[str, Any], dict[str, str]]:
    """Run the selected cells that are not done; rewrites the table after each.

    A cell that was started continues from its last checkpoint. If a cell fails, this is reported
    and the others still run. Several processes may run one table: a cell that another one runs is
    looked at again at the end, until it is done or free.

    Returns:
        the content of ``table.json``, and cell name -> reason for each cell that failed.

    Raises:
        UserError: the table's folder cannot be written.
    """
    failures: dict[str, str] = {}
    write(grid, failures)
    left = list(enumerate(grid.chosen, 1))
    waiting = False
    while left:
        held = []
        for number, cell in left:
            head = f"[{number}/{len(grid.chosen)}] {cell.name}"
            if read_result(cell).status == "done":
                continue
            if not waiting:
                report(f"{head} ...")
            try:
                reason = _run(cell)
            except FolderInUse:
                held.append((number, cell))
                continue
            if reason:
                failures[cell.name] = reason
                report(f"{head} failed: {reason}")
            else:
                report(f"{head} {_outcome(cell)}")
            write(grid, failures)
        if held and not waiting:
            report(f"waiting for other processes, which run {_names(held)}")
        left, waiting = held, True
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


def _run(cell: Cell) -> str:
    """Run a cell; returns the reason of a failure, or an empty text.

    Raises:
        FolderInUse: another process runs it.
    """
    try:
        with lock_folder(cell.folder) as lock:
            if read_result(cell).status == "done":  # another process has just ended
                return ""
            failed = run_locked(cell.config, lock, resume=True).failed
    except FolderInUse:
        raise
    except (UserError, TrainingError) as error:
        return " ".join(str(error).split())
    except Exception as error:  # one broken cell must not stop the others
        if fault := blame(error):
            show_traceback(fault)
            return " ".join(str(fault).split())
        traceback.print_exc(file=sys.stderr)
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return "; ".join(f"{name}: {reason}" for name, reason in failed.items())


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
