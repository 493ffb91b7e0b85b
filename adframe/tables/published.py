"""Published figures as data; printed means are checked when they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Interval

from adframe.config.compose import compose
from adframe.config.option_types import Settings
from adframe.config.where import located
from adframe.errors import Problem
from adframe.tables.files import validated

Percent = Annotated[float, Interval(ge=0, le=100)]
TOLERANCE = 0.05  # of a printed mean, in points: half of its last digit


class Figures(Settings):
    """One printed row.

    Attributes:
        auroc: percent, one for each column of the part; null for a figure that is missing.
        sd: printed standard deviations, if there are any.
        comparable: false if the figures measure something else; ``note`` explains it.
        mean_off: true if the printed mean differs from the mean of the row; ``note`` reports it.
    """

    method: str
    auroc: list[Percent | None]
    sd: list[Percent | None] | None = None
    comparable: bool = True
    mean_off: bool = False
    note: str = ""


class Part(Settings):
    """A printed table: columns by heading, rows by id; ``mean`` is the column of row means."""

    caption: str
    columns: dict[str, str]
    rows: dict[str, Figures]
    mean: str | None = None


class Published(Settings):
    """The figures of one table of a paper, with their source and protocol."""

    source: str
    protocol: str
    parts: dict[str, Part]


def read_published(path: Path) -> Published:
    """Read published figures; checks lengths, means, and notes on marked or missing figures.

    Raises:
        UserError: the file cannot be read or a check fails; a line for each problem.
    """
    node = compose(path)
    published = validated(node, Published)
    problems: list[Problem] = []
    columns: set[str] = set()
    for name, part in published.parts.items():
        for column in columns & set(part.columns):
            problems.append(Problem(("parts", name, "columns", column), "in two parts"))
        columns |= set(part.columns)
        for row, figures in part.rows.items():
            at = ("parts", name, "rows", row)
            problems += [Problem(at, text) for text in _faults(part, figures)]
    if problems:
        raise located(problems, node)
    return published


def mean_error(part: Part, figures: Figures) -> float | None:
    """Points between a row's printed mean and the mean of its figures; None where unknown."""
    values = dict(zip(part.columns, figures.auroc, strict=True))
    printed = values.pop(part.mean, None) if part.mean else None
    present = [value for value in values.values() if value is not None]
    if printed is None or len(present) < len(values):
        return None
    return printed - sum(present) / len(present)


def _faults(part: Part, figures: Figures) -> list[str]:
    count = len(part.columns)
    lengths = {len(figures.auroc), len(figures.sd or figures.auroc)}
    if lengths != {count}:
        return [f"{count} columns, but {' and '.join(map(str, sorted(lengths)))} figures"]
    faults = []
    error = mean_error(part, figures)
    off = error is not None and abs(error) > TOLERANCE + 1e-9
    if off and not figures.mean_off:
        faults.append(f"the printed mean is {error:+.2f} from the mean of the row")
    if figures.mean_off and not off:
        faults.append("mean_off, but the printed mean is that of the row")
    unexplained = figures.mean_off or not figures.comparable or None in figures.auroc
    if unexplained and not figures.note:
        faults.append("needs a note: a figure is missing, off or not comparable")
    return faults
