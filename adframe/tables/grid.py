"""From a table and a budget to cells: one run for each row, task and seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from adframe.config.compose import compose, set_value
from adframe.config.model import RunConfig, validate_tree
from adframe.config.yaml_tree import ConfigNode
from adframe.errors import UserError, did_you_mean
from adframe.registry.loading import LoadedPlugins
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
        chosen: the cells to run, of ``cells``.
    """

    table: Table
    budget_name: str
    budget: Budget
    seeds: list[int]
    used: dict[str, list[str]]
    sources: dict[str, Source]
    cells: list[Cell]
    chosen: list[Cell]
    out: Path


def make_grid(
    table: Table,
    budget_name: str,
    out: Path,
    root: Path,
    loaded: LoadedPlugins,
    seeds: int | None = None,
    only: Sequence[str] = (),
    plugins: Sequence[str] = (),
    need_data: bool = True,
) -> Grid:
    """Every cell, its config validated.

    Args:
        table: what to run.
        budget_name: one of its budgets.
        out: the folder of the table, a folder for each cell below it.
        root: where the images lie.
        loaded: the plugins.
        seeds: how many seeds, in place of the budget's own.
        only: which cells to run, as patterns ``ROW[/TASK[/SEED]]`` with ``*`` and ``?``; or all.
            A group of tasks may stand for each of them.
        plugins: one-file plugins that ``loaded`` holds, for the configs to name.
        need_data: refuse a root that holds none of the forms that a chosen cell's data may take.

    Raises:
        UserError: no such budget or cell, no data, a row's config is wrong; a line for each.
    """
    budget = table.budget(budget_name)
    chosen_seeds = budget.seeds if seeds is None else list(range(seeds))
    used = table.used(budget)
    names = {name for tasks in used.values() for name in tasks}
    tasks = [task for name, task in table.tasks.items() if name in names]
    every = {
        f"{row}/{task.name}/{seed}": task.group
        for row in table.file.rows for task in tasks for seed in chosen_seeds
    }  # fmt: skip
    wanted = _select(every, only)
    groups = dict.fromkeys(task.group for task in tasks)
    needed = {every[name] for name in wanted} if need_data else set()
    sources = {group: _source(table, group, root, group in needed) for group in groups}
    place = str(root.expanduser().resolve())
    _tree.cache_clear()  # files may have changed since
    cells: list[Cell] = []
    problems: dict[str, None] = {}
    for name, row in table.file.rows.items():
        for task in tasks:
            settings = [
                *row.settings,
                *sources[task.group].settings,
                *row.budgets.get(budget_name, budget.settings),
                *task.settings,
            ]
            settings = [text.replace("{data}", place) for text in settings]
            path = table.path.parent / row.config
            try:
                tree = _tree(path, tuple(settings))
                config = validate_tree(tree, str(path), plugins=plugins, loaded=loaded)
            except UserError as error:  # of what is not to be run now, it need not be said
                if any(f"{name}/{task.name}/{seed}" in wanted for seed in chosen_seeds):
                    problems |= {f"row {name}: {line}": None for line in str(error).splitlines()}
                continue
            images = table.file.tasks[task.group].images
            images = min(images, budget.images.get(task.group, images))
            cells += [
                _cell(name, task, config.model_copy(update={"seed": seed}), out, images)
                for seed in chosen_seeds
            ]
    if problems:
        raise UserError("\n".join(problems))
    chosen = [cell for cell in cells if cell.name in wanted]
    return Grid(table, budget_name, budget, chosen_seeds, used, sources, cells, chosen, out)


@cache
def _tree(path: Path, settings: tuple[str, ...]) -> ConfigNode:
    """A config with overrides; what cells have in common is read once."""
    return set_value(_tree(path, settings[:-1]), settings[-1]) if settings else compose(path)


def _source(table: Table, group: str, root: Path, need_data: bool) -> Source:
    forms = table.file.data[table.file.tasks[group].data]
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


def _select(names: Mapping[str, str], patterns: Sequence[str]) -> set[str]:
    """The cell names (each with its task's group) that any pattern matches; all for none."""
    chosen = set(names if not patterns else ())
    for pattern in patterns:
        depth = pattern.count("/") + 1
        parts = [*pattern.split("/"), "*", "*"][: max(3, depth)]
        found = {name for name, group in names.items() if _matches(name, group, parts)}
        if not found:
            known = sorted({"/".join(name.split("/")[: min(depth, 3)]) for name in names})
            hint = did_you_mean(pattern, known)
            raise UserError(f"--only {pattern}: no such cell at this table and budget{hint}")
        chosen |= found
    return chosen


def _matches(name: str, group: str, parts: list[str]) -> bool:
    if len(parts) != 3:
        return False
    row, task, seed = name.split("/")
    by_task = fnmatchcase(task, parts[1]) or group == parts[1]
    return fnmatchcase(row, parts[0]) and by_task and fnmatchcase(seed, parts[2])
