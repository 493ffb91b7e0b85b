"""What a table file says: rows, columns, tasks, where the data is, and budgets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Interval, MinLen
from pydantic import Field

from adframe.config.schema import Settings
from adframe.errors import Problem, UserError, did_you_mean
from adframe.tables.files import located, read
from adframe.tables.published import Published, read_published

Settings_ = list[str]  #: overrides as of --set: "a.b=VALUE"
Seed = Annotated[int, Interval(ge=0, lt=2**31)]


class Source(Settings):
    """One form in which images may lie below ``--data ROOT``; ``{data}`` stands for ROOT."""

    settings: Settings_
    holds: str | None = None  #: a path below ROOT that tells this form; none needs no ROOT
    note: str = ""


class TaskGroup(Settings):
    """Detection problems that differ in one key: the class that is normal, say."""

    data: str
    images: Annotated[int, Ge(2)]  #: training images a run has, at most; for counting beforehand
    size: Annotated[int, Ge(8)] = 32  #: pixels a side, for counting beforehand
    settings: Settings_ = Field(default_factory=list)
    vary: str | None = None
    values: list[str] = Field(default_factory=list)


class Column(Settings):
    """A column: the mean over tasks of the AUROC on one outlier set, or on all of them."""

    tasks: Annotated[list[str], MinLen(1)]
    set: str | None = None
    title: str | None = None


class Row(Settings):
    """A row: a config with overrides; ``budgets`` replaces a budget's own settings."""

    config: str
    settings: Settings_ = Field(default_factory=list)
    budgets: dict[str, Settings_] = Field(default_factory=dict)
    title: str | None = None
    note: str = ""


class Budget(Settings):
    """What is affordable: overrides, seeds, and which tasks (of every column, or by column)."""

    settings: Settings_
    seeds: Annotated[list[Seed], MinLen(1)]
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
    """One detection problem: a run's data, beside its seed."""

    name: str
    group: str
    settings: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table file with what it refers to."""

    name: str
    path: Path
    file: TableFile
    published: Published | None
    tasks: dict[str, Task]

    def budget(self, name: str) -> Budget:
        """A budget by name.

        Raises:
            UserError: the table has no such budget; names the nearest.
        """
        if name not in self.file.budgets:
            known = ", ".join(self.file.budgets) or "none"
            hint = did_you_mean(name, self.file.budgets)
            raise UserError(f"{self.name}: no budget '{name}'{hint} (there is: {known})")
        return self.file.budgets[name]

    def expand(self, names: list[str]) -> list[str]:
        """Task names, a group's name standing for all of its tasks."""
        return [
            task.name for name in names for task in self.tasks.values()
            if name in (task.name, task.group)
        ]  # fmt: skip

    def used(self, budget: Budget) -> dict[str, list[str]]:
        """The tasks of each column at a budget; columns that are not run are left out."""
        of_column = {name: self.expand(c.tasks) for name, c in self.file.columns.items()}
        if isinstance(budget.tasks, dict):
            of_column = {name: self.expand(tasks) for name, tasks in budget.tasks.items()}
        elif budget.tasks is not None:
            wanted = self.expand(budget.tasks)
            of_column = {name: [t for t in of if t in wanted] for name, of in of_column.items()}
        return {name: tasks for name, tasks in of_column.items() if tasks}


def read_table(path: Path) -> Table:
    """A table, its published figures and its tasks.

    Raises:
        UserError: a file cannot be read, or names what is not there; a line for each problem.
    """
    file, node = read(path, TableFile)
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
            problems.append(Problem(("tasks", name), "vary and values go together"))
        for value in group.values or [name]:
            if value in tasks or (value in file.tasks and value != name):
                problems.append(Problem(("tasks", name), f"another task is called '{value}'"))
            vary = [f"{group.vary}={value}"] if group.vary else []
            tasks[value] = Task(value, name, (*group.settings, *vary))
    problems += _unknown_names(file, {*tasks, *file.tasks})
    if problems:
        raise located(problems, node)
    published = read_published(path.parent / file.published) if file.published else None
    return Table(path.stem, path, file, published, tasks)


def _unknown_names(file: TableFile, tasks: set[str]) -> list[Problem]:
    problems = []

    def check(names: list[str], known: set[str], what: str, *at: str) -> None:
        for name in names:
            if name not in known:
                problems.append(Problem(at, f"no {what} '{name}'{did_you_mean(name, known)}"))

    for name, column in file.columns.items():
        check(column.tasks, tasks, "task", "columns", name, "tasks")
    for name, row in file.rows.items():
        check(list(row.budgets), set(file.budgets), "budget", "rows", name, "budgets")
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
