"""From a table and a budget to cells: one run for each row, task and seed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from adframe.config import RunConfig, load_config
from adframe.errors import UserError, did_you_mean
from adframe.plugins import Host
from adframe.tables.definition import Budget, Source, Table, Task


@dataclass(frozen=True)
class Cell:
    """One run of a table. Another config is another folder, so that runs are never mixed."""

    row: str
    task: Task
    seed: int
    config: RunConfig
    digest: str  #: of the whole config
    folder: Path
    images: int  #: training images, as the table declares them

    @property
    def name(self) -> str:
        """What ``--only`` and the messages call it."""
        return f"{self.row}/{self.task.name}/{self.seed}"


@dataclass(frozen=True)
class Grid:
    """All cells of a table at a budget.

    Attributes:
        used: the tasks of each column that this budget runs.
        sources: which form of its data each task group uses.
    """

    table: Table
    budget_name: str
    budget: Budget
    seeds: list[int]
    used: dict[str, list[str]]
    sources: dict[str, Source]
    cells: list[Cell]
    out: Path


def make_grid(
    table: Table,
    budget_name: str,
    out: Path,
    root: Path,
    host: Host,
    seeds: int | None = None,
    plugins: list[str] | None = None,
    need_data: bool = True,
) -> Grid:
    """Every cell, its config validated.

    Args:
        table: what to run.
        budget_name: one of its budgets.
        out: the folder of the table, a folder for each cell below it.
        root: where the images lie.
        host: the plugins.
        seeds: how many seeds, in place of the budget's own.
        plugins: one-file plugins that ``host`` holds, for the configs to name.
        need_data: refuse a root that holds none of the forms a task may take.

    Raises:
        UserError: no such budget, no data, a row's config is wrong; a line for each problem.
    """
    budget = table.budget(budget_name)
    chosen = budget.seeds if seeds is None else list(range(seeds))
    used = table.used(budget)
    names = {name for tasks in used.values() for name in tasks}
    tasks = [task for name, task in table.tasks.items() if name in names]
    groups = {task.group: table.file.tasks[task.group].data for task in tasks}
    sources = {group: _source(table, data, root, need_data) for group, data in groups.items()}
    place = str(root.expanduser().resolve())
    cells: list[Cell] = []
    problems: dict[str, None] = {}
    for name, row in table.file.rows.items():
        for task in tasks:
            settings = [
                *row.settings,
                *(text.replace("{data}", place) for text in sources[task.group].settings),
                *row.budgets.get(budget_name, budget.settings),
                *task.settings,
            ]
            path = table.path.parent / row.config
            try:
                config = load_config(path, settings, plugins=plugins or [], host=host)
            except UserError as error:
                problems |= {f"row {name}: {line}": None for line in str(error).splitlines()}
                continue
            images = table.file.tasks[task.group].images
            images = min(images, budget.images.get(task.group, images))
            cells += [
                _cell(name, task, config.model_copy(update={"seed": seed}), out, images)
                for seed in chosen
            ]
    if problems:
        raise UserError("\n".join(problems))
    return Grid(table, budget_name, budget, chosen, used, sources, cells, out)


def _source(table: Table, data: str, root: Path, need_data: bool) -> Source:
    forms = table.file.data[data]
    for form in forms:
        if form.holds is None or (root.expanduser() / form.holds).exists():
            return form
    if not need_data:
        return forms[0]
    wanted = " or ".join(str(form.holds) for form in forms)
    raise UserError(f"{table.name}: '{root}' holds no {wanted}; name the folder with --data")


def _cell(row: str, task: Task, config: RunConfig, out: Path, images: int) -> Cell:
    text = json.dumps(config.dump(), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = out / row / task.name / f"{config.seed}-{digest}"
    return Cell(row, task, config.seed, config, digest, folder, images)


def select(grid: Grid, patterns: list[str]) -> list[Cell]:
    """The cells that any of the patterns names: ``ROW[/TASK[/SEED]]``, with ``*`` and ``?``.

    Raises:
        UserError: a pattern names no cell; names the nearest.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        parts = [*pattern.split("/"), "*", "*"][: max(3, pattern.count("/") + 1)]
        found = {
            cell.name for cell in grid.cells
            if len(parts) == 3 and all(map(fnmatchcase, cell.name.split("/"), parts))
        }  # fmt: skip
        if not found:
            depth = min(pattern.count("/") + 1, 3)
            known = {"/".join(cell.name.split("/")[:depth]) for cell in grid.cells}
            raise UserError(
                f"--only {pattern}: no such cell of {grid.table.name} at budget "
                f"{grid.budget_name}{did_you_mean(pattern, sorted(known))}"
            )
        chosen |= found
    return [cell for cell in grid.cells if not patterns or cell.name in chosen]
