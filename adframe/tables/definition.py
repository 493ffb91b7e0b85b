"""Content of a table file: rows, columns, tasks, data sources and budgets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Interval, MinLen
from pydantic import Field

from adframe.config.bundled import find_config
from adframe.config.compose import compose, merge
from adframe.config.option_types import Settings
from adframe.config.where import located
from adframe.config.yaml_tree import ConfigNode
from adframe.errors import Problem, UserError, did_you_mean
from adframe.tables.files import validated
from adframe.tables.published import Published, read_published

#: Part of a config, merged onto the config of a row; a key may have dots, as in ``--set``.
Changes = dict[str, Any] | None
Seed = Annotated[int, Interval(ge=0, lt=2**31)]


class Source(Settings):
    """Layout of image files below the folder of ``--data ROOT``; ``{data}`` stands for ROOT."""

    set: Changes = None
    holds: str | None = None  #: a path below ROOT that shows this layout; None needs no ROOT
    note: str = ""


class TaskGroup(Settings):
    """Detection problems that differ in one key, for example in the class that is normal."""

    data: str
    images: Annotated[int, Ge(2)]  #: largest number of training images of a run, to count cost
    size: Annotated[int, Ge(8)] = 32  #: pixels per side, to count cost
    set: Changes = None
    vary: str | None = None
    values: list[str | int] = Field(default_factory=list)


class Column(Settings):
    """A column: the mean of a figure over tasks, on one set of outliers or on all of them."""

    tasks: Annotated[list[str], MinLen(1)]
    outliers: str | None = None
    #: ``auroc`` or a metric: on all sets of the data set together, if a run has several. By default
    #: the mean AUROC over sets.
    metric: str | None = None
    #: the last scorer of this name in a row's config; by default the first scorer of all.
    scorer: str | None = None
    title: str | None = None


class Row(Settings):
    """A row: a config and changes to it; ``set_at`` has changes for single budgets."""

    config: str
    set: Changes = None
    set_at: dict[str, Changes] = Field(default_factory=dict)
    title: str | None = None
    note: str = ""


class Budget(Settings):
    """A budget: changes of each config, seeds, and tasks (of all columns, or by column)."""

    seeds: Annotated[list[Seed], MinLen(1)]
    set: Changes = None
    tasks: list[str] | dict[str, list[str]] | None = None
    images: dict[str, Annotated[int, Ge(2)]] = Field(default_factory=dict)
    as_published: bool = False
    note: str = ""


class TableFile(Settings):
    """The content of a table file."""

    title: str
    published: str | None = None
    data: dict[str, Annotated[list[Source], MinLen(1)]] = Field(default_factory=dict)
    tasks: dict[str, TaskGroup] = Field(default_factory=dict)
    columns: dict[str, Column] = Field(default_factory=dict)
    rows: dict[str, Row] = Field(default_factory=dict)
    budgets: dict[str, Budget] = Field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """One detection problem: a task group with one value of the key that varies, if any does."""

    name: str
    group: str
    value: str | int | None


@dataclass(frozen=True)
class Table:
    """A table file, the tree it was read from, its published figures and its tasks."""

    name: str
    path: Path
    file: TableFile
    tree: ConfigNode
    published: Published | None
    tasks: dict[str, Task]

    def budget(self, name: str) -> Budget:
        """The budget of a name.

        Raises:
            UserError: the table has no such budget; suggests the nearest name.
        """
        if name not in self.file.budgets:
            known = ", ".join(self.file.budgets) or "none"
            hint = did_you_mean(name, self.file.budgets)
            raise UserError(f"{self.name}: no budget '{name}'{hint} (budgets: {known})")
        return self.file.budgets[name]

    def expand(self, names: list[str]) -> list[str]:
        """Task names; the name of a group stands for all of its tasks."""
        return [
            task.name for name in names for task in self.tasks.values()
            if name in (task.name, task.group)
        ]  # fmt: skip

    def used(self, budget: Budget) -> dict[str, list[str]]:
        """Tasks of each column at a budget, without columns that are not run."""
        of_column = {name: self.expand(c.tasks) for name, c in self.file.columns.items()}
        if isinstance(budget.tasks, dict):
            of_column = {name: self.expand(tasks) for name, tasks in budget.tasks.items()}
        elif budget.tasks is not None:
            wanted = self.expand(budget.tasks)
            of_column = {name: [t for t in of if t in wanted] for name, of in of_column.items()}
        return {name: tasks for name, tasks in of_column.items() if tasks}

    def changes(self, row: str, task: Task, form: int, budget: str) -> list[ConfigNode]:
        """Changes of a row's config for a task at a budget, in order, for a ``form`` of data."""
        group = self.file.tasks[task.group]
        paths: list[tuple[str | int, ...]] = [
            ("rows", row, "set"),
            ("data", group.data, form, "set"),
            ("budgets", budget, "set"),
            ("rows", row, "set_at", budget),
            ("tasks", task.group, "set"),
        ]
        found = [node for path in paths if (node := self.tree.find(path)) and node.value]
        if group.vary:
            origin = self.tree.origin_of(("tasks", task.group, "values"))
            found.append(ConfigNode({group.vary: ConfigNode(task.value, origin)}, origin))
        return found


def read_table(path: Path) -> Table:
    """A table, its published figures and its tasks.

    Raises:
        UserError: a file cannot be read, or names what does not exist; a line for each problem.
    """
    node = _extended(compose(path))
    file = validated(node, TableFile)
    problems = [
        Problem((kind, name), "an id holds letters, digits and . _ - + only")
        for kind in ("rows", "columns", "tasks", "budgets")
        for name in getattr(file, kind)
        if not re.fullmatch(r"[\w.+-]+", name)
    ]
    tasks: dict[str, Task] = {}
    for name, group in file.tasks.items():
        if group.data not in file.data:
            hint = did_you_mean(group.data, file.data)
            problems.append(Problem(("tasks", name, "data"), f"no data '{group.data}'{hint}"))
        if bool(group.values) != bool(group.vary):
            problems.append(Problem(("tasks", name), "give both 'vary' and 'values', or neither"))
        values: list[str | int | None] = [*group.values] or [None]
        for value in values:
            task = name if value is None else str(value)
            if task in tasks or (task in file.tasks and task != name):
                problems.append(Problem(("tasks", name), f"another task is called '{task}'"))
            tasks[task] = Task(task, name, value)
    problems += _unknown_names(file, {*tasks, *file.tasks})
    if problems:
        raise located(problems, node)
    published = file.published and read_published(find_config(file.published, near=path.parent))
    return Table(path.stem, path, file, node, published or None, tasks)


def _extended(node: ConfigNode) -> ConfigNode:
    """The tree with each budget merged onto the budget that it ``extends``."""
    budgets = node.value.get("budgets")
    if budgets is None or not isinstance(budgets.value, dict):
        return node
    done: dict[str, ConfigNode] = {}
    for name, budget in budgets.value.items():
        own = dict(budget.value) if isinstance(budget.value, dict) else {}
        base = own.pop("extends", None)
        if base is not None and str(base.value) not in done:
            hint = did_you_mean(str(base.value), done)
            message = f"no budget '{base.value}' above this one{hint}"
            raise located([Problem(("budgets", name, "extends"), message)], node)
        done[name] = (
            merge(done[str(base.value)], ConfigNode(own, budget.origin)) if base else budget
        )
    return ConfigNode({**node.value, "budgets": ConfigNode(done, budgets.origin)}, node.origin)


def _unknown_names(file: TableFile, tasks: set[str]) -> list[Problem]:
    problems = []

    def check(names: list[str], known: set[str], what: str, *at: str) -> None:
        for name in names:
            if name not in known:
                problems.append(Problem(at, f"no {what} '{name}'{did_you_mean(name, known)}"))

    for name, column in file.columns.items():
        check(column.tasks, tasks, "task", "columns", name, "tasks")
    for name, row in file.rows.items():
        check(list(row.set_at), set(file.budgets), "budget", "rows", name, "set_at")
    for name, budget in file.budgets.items():
        at = ("budgets", name, "tasks")
        check(list(budget.images), set(file.tasks), "task group", "budgets", name, "images")
        if isinstance(budget.tasks, dict):
            check(list(budget.tasks), set(file.columns), "column", *at)
            for column_, of in budget.tasks.items():
                check(of, tasks, "task", *at, column_)
        else:
            check(budget.tasks or [], tasks, "task", *at)
    return problems
