"""``table.json``: a table's values beside the published figures, and every run behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adframe import __version__
from adframe.tables.grid import Grid
from adframe.tables.published import Figures, Part
from adframe.tables.results import Result, column_value, read_result


def summary(grid: Grid, failures: Mapping[str, str]) -> dict[str, Any]:
    """All there is to say of a table, from its run folders.

    Args:
        grid: its cells.
        failures: cell name -> reason, of the runs that failed just now.
    """
    results = {cell.name: read_result(cell, failures.get(cell.name, "")) for cell in grid.cells}
    table, published = grid.table, grid.table.published
    parts = [_part(grid, results, part) for part in published.parts.values()] if published else []
    own = [name for name in table.file.columns if not any(_has(part, name) for part in parts)]
    if own:
        parts.append(_own_part(grid, results, own))
    return {
        "table": table.name,
        "title": table.file.title,
        "adframe": __version__,
        "budget": {
            "name": grid.budget_name,
            "note": grid.budget.note,
            "as_published": grid.budget.as_published,
            "epochs": _span(result.epochs for result in results.values()),
            "images": _span(result.images for result in results.values()),
            "seeds": grid.seeds,
            "settings": grid.budget.settings,
            "data": [source.note for source in grid.sources.values() if source.note],
        },
        "published": {"source": published.source, "protocol": published.protocol}
        if published
        else None,
        "parts": parts,
        "tasks": _by_task(grid, results),
        "runs": [
            {
                "cell": cell.name,
                "status": result.status,
                "folder": str(cell.folder),
                "config": cell.digest,
                "epochs": result.epochs,
                "images": result.images,
                "auroc": dict(result.auroc),
                "mean_auroc": result.mean_auroc,
                "floor": result.floor,
                "seconds": result.seconds,
                "reason": result.reason,
            }
            for cell in grid.cells
            for result in [results[cell.name]]
        ],
    }


def _has(part: Mapping[str, Any], column: str) -> bool:
    return any(item["id"] == column for item in part["columns"])


def _span(numbers: Iterable[int]) -> list[int]:
    return sorted(set(numbers))


def _column(grid: Grid, name: str, heading: str) -> dict[str, Any]:
    column, used = grid.table.file.columns.get(name), grid.used.get(name, [])
    own = grid.table.expand(column.tasks) if column else []
    return {
        "id": name,
        "title": column.title if column and column.title else heading,
        "tasks": used,
        "of": len(own),
        "stand_in": bool(set(used) - set(own)),
    }


def _part(grid: Grid, results: Mapping[str, Result], part: Part) -> dict[str, Any]:
    columns = [_column(grid, name, heading) for name, heading in part.columns.items()]
    rows = [
        _row(grid, results, name, columns, part, figures) for name, figures in part.rows.items()
    ]
    if any(column["tasks"] for column in columns):
        more = [name for name in grid.table.file.rows if name not in part.rows]
        rows += [_row(grid, results, name, columns, part, None) for name in more]
    return {"caption": part.caption, "columns": columns, "rows": rows}


def _own_part(grid: Grid, results: Mapping[str, Result], names: list[str]) -> dict[str, Any]:
    columns = [_column(grid, name, name) for name in names]
    rows = [_row(grid, results, name, columns, None, None) for name in grid.table.file.rows]
    return {"caption": "", "columns": columns, "rows": rows}


def _row(
    grid: Grid,
    results: Mapping[str, Result],
    name: str,
    columns: list[dict[str, Any]],
    part: Part | None,
    figures: Figures | None,
) -> dict[str, Any]:
    row = grid.table.file.rows.get(name)
    said = (figures and figures.note, row and row.note, None if row else "no config yet")
    notes = [text for text in said if text]
    printed: dict[str, tuple[float | None, float | None]] = {}
    if part and figures:
        sds = figures.sd or [None] * len(figures.auroc)
        printed = dict(zip(part.columns, zip(figures.auroc, sds, strict=True), strict=True))
    here = [r for cell, r in results.items() if cell.partition("/")[0] == name]
    return {
        "id": name,
        "title": (row and row.title) or (figures and figures.method) or name,
        "epochs": _span(result.epochs for result in here),
        "images": _span(result.images for result in here),
        "notes": notes,
        "cells": [
            _value(
                grid,
                results,
                name if row else None,
                column,
                printed.get(column["id"], (None, None)),
                figures is None or figures.comparable,
            )
            for column in columns
        ],
    }


def _value(
    grid: Grid,
    results: Mapping[str, Result],
    row: str | None,
    column: dict[str, Any],
    printed: tuple[float | None, float | None],
    comparable: bool,
) -> dict[str, Any]:
    published, published_sd = printed
    facts: dict[str, Any] = {
        "column": column["id"],
        "mean": None,
        "sd": None,
        "seeds": {},
        "done": 0,
        "failed": 0,
        "runs": 0,
        "published": published,
        "published_sd": published_sd,
        "difference": None,
    }
    if row is None or not column["tasks"]:
        return facts
    outliers = None if column["stand_in"] else grid.table.file.columns[column["id"]].set
    value = column_value(grid, results, row, column["tasks"], outliers)
    facts |= {"mean": value.mean, "sd": value.sd, "seeds": value.seeds}
    facts |= {"done": value.done, "failed": value.failed, "runs": value.runs}
    if value.mean is not None and published is not None and comparable and not column["stand_in"]:
        facts["difference"] = value.mean - published
    return facts


def _by_task(grid: Grid, results: Mapping[str, Result]) -> list[dict[str, Any]]:
    """Each row's mean over seeds, task by task; all outlier sets together."""
    names = list(dict.fromkeys(cell.task.name for cell in grid.cells))
    rows = []
    for row in grid.table.file.rows:
        values = {name: column_value(grid, results, row, [name], None) for name in names}
        cells = {
            name: {"mean": v.mean, "sd": v.sd, "done": v.done, "runs": v.runs}
            for name, v in values.items()
        }
        rows.append({"row": row, "tasks": cells})
    return rows
