"""A sweep: a table whose rows are combinations of values of a config."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from adframe.config.bundled import find_config
from adframe.config.yaml_tree import escaped, parse, to_yaml
from adframe.errors import UserError
from adframe.io import atomic
from adframe.io.paths import make_folders
from adframe.io.read import read_text
from adframe.tables.definition import Table, read_table

MOST = 10_000  # runs
NAME = "sweep"  #: of the table's file, task, budget and data


def table_of(
    config: Path, over: Sequence[str], settings: Sequence[str], seeds: int, metrics: Sequence[str]
) -> dict[str, Any]:
    """The content of a table file whose rows are the combinations of values.

    Args:
        config: the config that every row changes, a path or a bundled name.
        over: ``KEY=V1,V2``; a value is YAML.
        settings: ``KEY=VALUE`` for all rows.
        seeds: number of seeds.
        metrics: metrics that get a column, besides AUROC.

    Raises:
        UserError: an item of ``over`` or ``settings`` is not of that form, or there are too many
            runs.
    """
    base = str(find_config(config).absolute())
    axes = [list(_values(text)) for text in over]
    rows: dict[str, dict[str, Any]] = {}
    for chosen in itertools.product(*axes):
        if len(rows) * seeds >= MOST:
            raise UserError(f"--over: more than {MOST:,} runs")
        title = ", ".join(f"{key}={text}" for key, text, _ in chosen)
        row = re.sub(r"[^\w.+-]+", "-", title).strip("-")[:60] or "row"
        while row in rows:
            row += "+"
        changes = {key: value for key, _, value in chosen}
        rows[row] = {"config": base, "title": title, "set": changes}
    columns = {name: {"tasks": [NAME], "metric": name} for name in metrics}
    return {
        "title": f"{config.stem} over {', '.join(text.partition('=')[0] for text in over)}",
        "data": {NAME: [{}]},
        "tasks": {NAME: {"data": NAME, "images": 2}},
        "columns": {"AUROC": {"tasks": [NAME]}, **columns},
        "rows": rows,
        "budgets": {
            NAME: {
                "seeds": list(range(seeds)),
                "set": {key: value for key, _, value in map(_setting, settings)},
            }
        },
    }


def _values(text: str) -> Iterator[tuple[str, str, Any]]:
    """Key, text and value of each choice of ``KEY=V1,V2``."""
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise UserError(f"--over {text}: write KEY=V1,V2")
    choices = parse(f"[{values}]", f"--over {text}").plain()
    if not isinstance(choices, list):
        raise UserError(f"--over {text}: write KEY=V1,V2")
    for choice in choices:
        yield key.strip(), to_yaml([choice], flow=True).strip()[1:-1], choice


def _setting(text: str) -> tuple[str, str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text}: write KEY=VALUE")
    return key.strip(), value, parse(value, f"--set {text}").plain()


def written(content: dict[str, Any], out: Path) -> Table:
    """The table, whose file is written to its folder; the same command finds it there.

    Raises:
        UserError: the folder holds another sweep.
    """
    path, text = out / f"{NAME}.yaml", to_yaml(escaped(content))
    if path.exists() and read_text(path) != text:
        raise UserError(f"{out}: holds another sweep; choose another folder with --out")
    try:
        make_folders(out)
    except OSError as error:
        raise UserError(f"{out}: cannot be created: {error.strerror or error}") from error
    atomic.write(path, text)
    return read_table(path)
