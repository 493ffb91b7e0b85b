"""Finished runs of other folders, from their ``table.json``: cells that need not run here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adframe.config.model import validate_tree
from adframe.config.yaml_tree import escaped, parse, to_yaml
from adframe.errors import UserError
from adframe.io.atomic import read_json
from adframe.tables.grid import Cell, Grid, settings_of
from adframe.tables.results import recorded_result


def with_recorded(grid: Grid, paths: Sequence[Path]) -> Grid:
    """The grid, its cells joined with finished runs of the same settings.

    A run fits a cell if both have the same name and the same config, except for the folder of the
    images. An option that the run does not know, since it is newer, must have its default. The
    first run that fits counts. A cell's own folder comes before all files.

    Args:
        grid: the cells.
        paths: files as ``table.json``.

    Raises:
        UserError: a file cannot be read, or is no ``table.json``.
    """
    if not paths:
        return grid
    found: dict[str, list[Mapping[str, Any]]] = {}
    for path in paths:
        for run in _runs(path):
            found.setdefault(run["cell"], []).append(run)

    def joined(cell: Cell) -> Cell:
        fitting = (run for run in found.get(cell.name, ()) if _fits(run, cell, grid.root))
        return replace(cell, recorded=next(fitting, None))

    cells = [joined(cell) for cell in grid.cells]
    chosen = {cell.name for cell in grid.chosen}
    return replace(grid, cells=cells, chosen=[cell for cell in cells if cell.name in chosen])


def _fits(run: Mapping[str, Any], cell: Cell, root: str) -> bool:
    if run["settings"] == cell.settings:
        return True
    values = json.loads(json.dumps(run["settings"]).replace("{data}", json.dumps(root)[1:-1]))
    try:
        node = parse(to_yaml(escaped(values)), cell.name)
        config = validate_tree(node, cell.name, loaded=cell.config.loaded)
    except UserError:
        return False
    return settings_of(config, root) == cell.settings


def _runs(path: Path) -> list[dict[str, Any]]:
    """The finished runs of a file."""
    facts = read_json(path)
    runs = facts.get("runs") if isinstance(facts, dict) else None
    try:
        done = [run for run in runs or () if run["status"] == "done"]
        right = all(_is_right(run) for run in done)
    except (KeyError, TypeError, AttributeError):
        right = False
    if not isinstance(runs, list) or not right:
        raise UserError(f"{path}: no table.json of 'adframe reproduce'")
    return done


def _is_right(run: Mapping[str, Any]) -> bool:
    """Whether the values of a finished run have the types that a table needs."""
    result = recorded_result(run)
    figures = [
        number
        for of in (result.main, *result.scorers.values())
        for number in (of.mean_auroc, *of.auroc.values(), *of.pooled.values(),
                       *(value for by_set in of.metrics.values() for value in by_set.values()))
    ]  # fmt: skip
    numbers = [*figures, result.floor, result.seconds]
    return (
        isinstance(run["cell"], str)
        and isinstance(run["settings"], dict)
        and type(result.epochs) is type(result.images) is int
        and isinstance(result.below_floor, bool)
        and all(number is None or type(number) in (int, float) for number in numbers)
    )
