"""Finished runs of other folders, from their ``table.json``: cells that need not run here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adframe.config.model import validate_tree
from adframe.config.yaml_tree import escaped, parse, to_yaml
from adframe.errors import UserError
from adframe.io.atomic import read_json
from adframe.tables.grid import Cell, Grid, below, settings_of
from adframe.tables.judged import RecordedRun


def with_recorded(grid: Grid, paths: Sequence[Path], report: Callable[[str], None]) -> Grid:
    """The grid, its cells joined with finished runs of the same settings.

    A run fits a cell if both have the same name and the same config, except for the folder of the
    images. An option that the run does not know, since it is newer, must have its default. The
    first run that fits counts. A finished run in a cell's own folder comes before all files.

    Args:
        grid: the cells.
        paths: files as ``table.json``.
        report: gets a line for each file: how many of its runs fit.

    Raises:
        UserError: a file cannot be read, or is no ``table.json``.
    """
    by_name = {cell.name: cell for cell in grid.cells}
    found: dict[str, RecordedRun] = {}
    for path in paths:
        runs = _runs(path)
        fitting = [
            run for run in runs if run.cell in by_name and _fits(run, by_name[run.cell], grid.root)
        ]
        report(f"{path}: {len(fitting)} of {len(runs)} finished runs fit this table")
        found = {run.cell: run for run in reversed(fitting)} | found
    cells = [replace(cell, recorded=found.get(cell.name)) for cell in grid.cells]
    chosen = {cell.name for cell in grid.chosen}
    return replace(grid, cells=cells, chosen=[cell for cell in cells if cell.name in chosen])


def _fits(run: RecordedRun, cell: Cell, root: str) -> bool:
    settings = settings_of(cell.config, root)
    if run.config == cell.digest or run.settings == settings:
        return True
    try:
        node = parse(to_yaml(escaped(below(run.settings, "{data}", root))), cell.name)
        config = validate_tree(node, cell.name, loaded=cell.config.loaded)
    except (UserError, RecursionError):
        return False
    return settings_of(config, root) == settings


def _runs(path: Path) -> list[RecordedRun]:
    """The finished runs of a file."""
    facts = read_json(path)
    runs = facts.get("runs") if isinstance(facts, dict) else None
    if not isinstance(runs, list):
        raise UserError(f"{path}: no table.json of 'adframe reproduce'")
    return [_run(path, index, run) for index, run in enumerate(runs) if _is_done(run)]


def _is_done(run: Any) -> bool:
    return not isinstance(run, dict) or run.get("status", "done") == "done"


def _run(path: Path, index: int, run: Any) -> RecordedRun:
    try:
        return RecordedRun.model_validate(run)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"])) or "it"
        hint = " (from an older adframe?)" if problem["type"] == "missing" else ""
        line = f"{path}: runs.{index} is no finished run: {key}: {problem['msg']}{hint}"
        raise UserError(line) from error
