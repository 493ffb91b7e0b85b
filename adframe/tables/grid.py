"""Cells of a table at a budget: one run for each row, task and seed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from adframe.config.bundled import find_config, shown
from adframe.config.compose import compose, set_node
from adframe.config.model import RunConfig, validate_tree
from adframe.config.yaml_tree import ConfigNode, map_tree
from adframe.errors import KeyPath, UserError, did_you_mean
from adframe.io.paths import expand_user
from adframe.registry.loading import LoadedPlugins
from adframe.tables.definition import Budget, Source, Table, Task
from adframe.tables.judged import RecordedRun


@dataclass(frozen=True)
class Cell:
    """One run of a table. Its folder depends on the whole config, so runs are never mixed."""

    row: str
    task: Task
    seed: int
    config: RunConfig
    digest: str  #: of the whole config
    folder: Path
    images: int  #: training images, as the table declares them
    recorded: RecordedRun | None = None  #: the finished run in another ``table.json``

    @property
    def name(self) -> str:
        """``ROW/TASK/SEED``, as ``--only`` and messages use it."""
        return f"{self.row}/{self.task.name}/{self.seed}"


@dataclass(frozen=True)
class Grid:
    """All cells of a table at a budget.

    Attributes:
        used: column -> its tasks at this budget.
        sources: task group -> layout of its data.
        chosen: the cells of ``cells`` to run.
        root: folder of the images, absolute.
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
    root: str


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
    """All cells of a table at a budget, their configs validated.

    Args:
        table: the table.
        budget_name: one of its budgets.
        out: folder of the table; each cell gets a folder below it.
        root: folder of the images.
        loaded: the plugins.
        seeds: number of seeds, in place of the budget's own.
        only: cells to run, as patterns ``ROW[/TASK[/SEED]]`` with ``*`` and ``?``; all by default.
            The name of a task group stands for each of its tasks.
        plugins: one-file plugins in ``loaded``; configs may name them.
        need_data: refuse a root without any known layout of the data of a chosen cell.

    Raises:
        UserError: no such budget or cell, no data, or a wrong config; a line for each problem.
    """
    budget = table.budget(budget_name)
    _check_columns(table, loaded)
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
    place = os.path.realpath(expand_user(root))
    cells: list[Cell] = []
    problems: dict[str, None] = {}
    for name, row in table.file.rows.items():
        bases: list[ConfigNode] = []  # read once for all tasks
        for task in tasks:
            form = table.file.data[table.file.tasks[task.group].data].index(sources[task.group])
            try:
                path = find_config(row.config, near=table.path.parent)
                bases = bases or [compose(path)]
                tree = _changed(bases[0], table.changes(name, task, form, budget_name), place)
                config = validate_tree(tree, shown(path), plugins=plugins, loaded=loaded)
            except UserError as error:
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
    if len(cells) == len(every):  # a row that is not chosen may have a wrong config
        _check_scorers(table, used, cells)
    chosen = [cell for cell in cells if cell.name in wanted]
    return Grid(table, budget_name, budget, chosen_seeds, used, sources, cells, chosen, out, place)


def _check_columns(table: Table, loaded: LoadedPlugins) -> None:
    names = loaded.registry.names
    known = {"metric": {"auroc", *names("metric")}, "scorer": {*names("scorer")}}
    for name, column in table.file.columns.items():
        for kind, wanted in (("metric", column.metric), ("scorer", column.scorer)):
            if wanted is not None and wanted not in known[kind]:
                hint = did_you_mean(wanted, known[kind])
                raise UserError(f"{table.name}: columns.{name}: no {kind} '{wanted}'{hint}")


def _check_scorers(table: Table, used: Mapping[str, list[str]], cells: Sequence[Cell]) -> None:
    for name, tasks in used.items():
        scorer = table.file.columns[name].scorer
        of = [cell.config.scorer for cell in cells if cell.task.name in tasks]
        if scorer and of and not any(spec.entry.name == scorer for specs in of for spec in specs):
            raise UserError(f"{table.name}: columns.{name}: no row has the scorer '{scorer}'")


def _changed(tree: ConfigNode, changes: list[ConfigNode], root: str) -> ConfigNode:
    """A config with changes merged onto it, one after the other; ``{data}`` is ``root``."""

    def filled(value: Any, _: KeyPath) -> Any:
        if isinstance(value, ConfigNode):
            return replace(value, value=map_tree(value.value, filled))
        return value.replace("{data}", root) if isinstance(value, str) else value

    for change in changes:
        for key, value in change.value.items():
            tree = set_node(tree, key.split("."), filled(value, ()))
    return tree


def _source(table: Table, group: str, root: Path, need_data: bool) -> Source:
    forms = table.file.data[table.file.tasks[group].data]
    for form in forms:
        if form.holds is None or os.path.exists(expand_user(root) / form.holds):
            return form
    if not need_data:
        return forms[0]
    wanted = " or ".join(str(form.holds) for form in forms)
    raise UserError(f"{table.name}: '{root}' holds no {wanted}; name another folder with --data")


#: Keys that older tables do not have: without a value they do not change the folder of a cell.
_LATER = ("validation", "observers")


def settings_of(config: RunConfig, root: str) -> dict[str, Any]:
    """Values of a config, as JSON holds them; ``{data}`` stands for the folder of the images."""
    found: dict[str, Any] = below(json.loads(_text(config)), root, "{data}")
    return found


def below(values: Any, folder: str, other: str) -> Any:
    """Values of JSON, with another folder in each path that is or lies below ``folder``."""
    if isinstance(values, dict):
        return {key: below(value, folder, other) for key, value in values.items()}
    if isinstance(values, list):
        return [below(value, folder, other) for value in values]
    if isinstance(values, str) and (values == folder or values.startswith(f"{folder}/")):
        return other + values[len(folder) :]
    return values


def _text(config: RunConfig) -> str:
    facts = {key: value for key, value in config.dump().items() if value or key not in _LATER}
    return json.dumps(facts, sort_keys=True)


def _cell(row: str, task: Task, config: RunConfig, out: Path, images: int) -> Cell:
    digest = hashlib.sha256(_text(config).encode()).hexdigest()[:12]
    folder = out / row / task.name / f"{config.seed}-{digest}"
    return Cell(row, task, config.seed, config, digest, folder, images)


def _select(names: Mapping[str, str], patterns: Sequence[str]) -> set[str]:
    """Names that match a pattern, or all without patterns; ``names`` maps each to its group."""
    chosen = set(names if not patterns else ())
    for pattern in patterns:
        depth = pattern.count("/") + 1
        parts = [*pattern.split("/"), "*", "*"][: max(3, depth)]
        found = {name for name, group in names.items() if _matches(name, group, parts)}
        if not found:
            known = sorted({"/".join(name.split("/")[: min(depth, 3)]) for name in names})
            hint = did_you_mean(pattern, known)
            raise UserError(f"--only {pattern}: the table has no such cell at this budget{hint}")
        chosen |= found
    return chosen


def _matches(name: str, group: str, parts: list[str]) -> bool:
    if len(parts) != 3:
        return False
    row, task, seed = name.split("/")
    by_task = fnmatchcase(task, parts[1]) or group == parts[1]
    return fnmatchcase(row, parts[0]) and by_task and fnmatchcase(seed, parts[2])
