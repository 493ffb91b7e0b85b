"""Content of ``table.json``: the values of a table, published figures, and all runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adframe._version import __version__
from adframe.tables.grid import Cell, Grid, settings_of
from adframe.tables.judged import Judged
from adframe.tables.published import Figures, Part
from adframe.tables.results import Result, column_value, read_result


def summary(grid: Grid, failures: Mapping[str, str]) -> dict[str, Any]:
    """The content of ``table.json``, from the run folders.

    Args:
        grid: its cells.
        failures: cell name -> reason, for runs of this call that failed.
    """
    results = {cell.name: read_result(cell, failures.get(cell.name, "")) for cell in grid.cells}
    view = _View(grid, results)
    published, budget = grid.table.published, grid.budget
    return {
        "table": grid.table.name,
        "title": grid.table.file.title,
        "adframe": __version__,
        "budget": {
            "name": grid.budget_name,
            "note": budget.note,
            "as_published": budget.as_published,
            "epochs": _values(result.epochs for result in results.values()),
            "images": _values(result.images for result in results.values()),
            "seeds": grid.seeds,
            "set": budget.set,
            "data": [source.note for source in grid.sources.values() if source.note],
        },
        "published": published and {"source": published.source, "protocol": published.protocol},
        "parts": view.parts(),
        "tasks": view.by_task(),
        "runs": [_run(cell, results[cell.name], grid.root) for cell in grid.cells],
    }


def _values(numbers: Iterable[int]) -> list[int]:
    return sorted(set(numbers))


def _run(cell: Cell, result: Result, root: str) -> dict[str, Any]:
    return {
        "cell": cell.name,
        "status": result.status,
        "folder": None if result.recorded else str(cell.folder),
        "config": cell.digest,
        "settings": settings_of(cell.config, root) if result.status == "done" else None,
        "epochs": result.epochs,
        "images": result.images,
        **result.main.model_dump(include=set(Judged.model_fields)),
        "scorers": {name: of.model_dump() for name, of in result.scorers.items()},
        "floor": result.floor,
        "below_floor": result.below_floor,
        "seconds": result.seconds,
        "reason": result.reason,
    }


class _View:
    """The rows and columns of a grid with the results of its runs."""

    def __init__(self, grid: Grid, results: Mapping[str, Result]) -> None:
        self.grid, self.results, self.file = grid, results, grid.table.file

    def parts(self) -> list[dict[str, Any]]:
        """The published parts, and one more part for columns that none of them has."""
        published = self.grid.table.published
        parts = list(published.parts.values()) if published else []
        printed = {column for part in parts for column in part.columns}
        own = {name: name for name in self.file.columns if name not in printed}
        if own:
            parts.append(Part(caption="", columns=own, rows={}))
        return [self.part(part) for part in parts]

    def part(self, part: Part) -> dict[str, Any]:
        """Columns and rows: published rows first, then other rows if the part has tasks to run."""
        columns = [self.column(name, heading) for name, heading in part.columns.items()]
        rows = list(part.rows)
        if not rows or any(column["tasks"] for column in columns):
            rows += [name for name in self.file.rows if name not in part.rows]
        return {
            "caption": part.caption,
            "columns": columns,
            "rows": [self.row(name, columns, part.rows.get(name)) for name in rows],
        }

    def column(self, name: str, heading: str) -> dict[str, Any]:
        """A column with its tasks at this budget; ``stand_in`` if they are not its own tasks."""
        column, used = self.file.columns.get(name), self.grid.used.get(name, [])
        own = self.grid.table.expand(column.tasks) if column else []
        return {
            "id": name,
            "title": column.title if column and column.title else heading,
            "metric": column.metric if column else None,
            "scorer": column.scorer if column else None,
            "tasks": used,
            "of": len(own),
            "stand_in": bool(set(used) - set(own)),
        }

    def row(
        self, name: str, columns: list[dict[str, Any]], figures: Figures | None
    ) -> dict[str, Any]:
        """Values of a row; without a config it has published figures only."""
        row = self.file.rows.get(name)
        notes = (figures and figures.note, row and row.note, None if row else "no config yet")
        here = [result for cell, result in self.results.items() if cell.split("/")[0] == name]
        none = [None] * len(columns)
        auroc, sds = (figures.auroc, figures.sd or none) if figures else (none, none)
        cells = []
        for column, published, sd in zip(columns, auroc, sds, strict=True):
            ours = self.ours(name, column)
            like = not column["stand_in"] and (figures is None or figures.comparable)
            both = ours["mean"] is not None and published is not None and like
            difference = ours["mean"] - published if both else None
            compared = {"published": published, "published_sd": sd, "difference": difference}
            cells.append({"column": column["id"], **ours, **compared})
        return {
            "id": name,
            "title": (row and row.title) or (figures and figures.method) or name,
            "epochs": _values(result.epochs for result in here),
            "images": _values(result.images for result in here),
            "notes": [text for text in notes if text],
            "cells": cells,
        }

    def ours(self, row: str, column: dict[str, Any]) -> dict[str, Any]:
        """Results of a row in a column; without a config there are no runs."""
        tasks = column["tasks"] if row in self.file.rows else []
        known = self.file.columns.get(column["id"])
        outliers = known.outliers if known and not column["stand_in"] else None
        which = outliers, column["metric"], column["scorer"]
        value = column_value(self.grid, self.results, row, tasks, *which)
        return {
            "mean": value.mean,
            "sd": value.sd,
            "seeds": value.seeds,
            "done": value.done,
            "failed": value.failed,
            "runs": value.runs,
        }

    def by_task(self) -> list[dict[str, Any]]:
        """Values of each row by task, over all sets of outliers; for each figure of the columns."""
        names = list(dict.fromkeys(cell.task.name for cell in self.grid.cells))
        used = [column for name, column in self.file.columns.items() if name in self.grid.used]
        figures = dict.fromkeys((column.metric, column.scorer) for column in used)
        found = []
        for metric, scorer in figures:
            what = {"metric": metric, "scorer": scorer}
            alone: list[dict[str, Any]] = [
                {"id": "", "tasks": [name], "stand_in": False, **what} for name in names
            ]
            for row in self.file.rows:
                tasks = {c["tasks"][0]: self.ours(row, c) for c in alone}
                found.append({"row": row, **what, "tasks": tasks})
        return found
