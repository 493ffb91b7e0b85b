"""Finished runs of other folders, from their ``table.json``: cells that need not run here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adframe.errors import UserError
from adframe.io.atomic import read_json
from adframe.tables.grid import Grid
from adframe.tables.results import recorded_result


def with_recorded(grid: Grid, paths: Sequence[Path]) -> Grid:
    """The grid, its cells joined with finished runs of the same settings.

    A run fits a cell if both have the same name and the same config, except for the place of the
    images. The first file that has such a run counts. A cell's own folder comes before all files.

    Args:
        grid: the cells.
        paths: files as ``table.json``.

    Raises:
        UserError: a file cannot be read, or is no ``table.json``.
    """
    if not paths:
        return grid
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for path in paths:
        for run in _runs(path):
            found.setdefault((run["cell"], run["settings"]), run)
    cells = [replace(cell, recorded=found.get((cell.name, cell.settings))) for cell in grid.cells]
    chosen = {cell.name for cell in grid.chosen}
    return replace(grid, cells=cells, chosen=[cell for cell in cells if cell.name in chosen])


def _runs(path: Path) -> list[dict[str, Any]]:
    facts = read_json(path)
    runs = facts.get("runs") if isinstance(facts, dict) else None
    try:
        done = [run for run in runs or () if run["status"] == "done"]
        for run in done:
            recorded_result(run).value(None)
            run["cell"], run["settings"]
    except (KeyError, TypeError, AttributeError):
        runs = None
    if not isinstance(runs, list):
        raise UserError(f"{path}: no table.json of 'adframe reproduce'")
    return done
