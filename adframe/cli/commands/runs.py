"""``adframe runs``: the runs in a folder, with what they are and what they reached."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adframe.cli import options
from adframe.errors import UserError, did_you_mean, one_line
from adframe.io.paths import a_path

if TYPE_CHECKING:
    from adframe.engine.run_list import RunFacts

summary = "list the runs in a folder, sorted and filtered"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare DIR, ``--sort``, ``--reverse``, ``--where`` and ``--json``."""
    parser.add_argument(
        "dir", nargs="?", type=a_path, default=Path("runs"), metavar="DIR", help="folder (runs)"
    )
    parser.add_argument(
        "--sort", default="name", metavar="KEY", help="a column, or a key of the config (name)"
    )
    parser.add_argument("--reverse", action="store_true", help="the largest first")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="only runs with this value",
    )
    options.as_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one row for each run, or JSON."""
    from adframe.engine.run_list import RunFacts, list_runs

    columns = [column.name for column in fields(RunFacts) if column.name != "config"]
    wanted = [_condition(text) for text in arguments.where]
    keys = [key for key in dict.fromkeys([*(key for key, _ in wanted), arguments.sort])
            if key not in columns]  # fmt: skip
    runs = list_runs(arguments.dir, keys)
    for key in keys:
        if runs and not any(key in run.config for run in runs):
            hint = did_you_mean(key, columns) or f"; columns: {', '.join(columns)}"
            raise UserError(f"{key}: neither a column nor a key in the config of a run{hint}")
    chosen = [run for run in runs if all(_has(run, key, value) for key, value in wanted)]
    chosen = _sorted(chosen, arguments.sort, arguments.reverse)
    if arguments.json:
        print(json.dumps([asdict(run) for run in chosen], indent=2))
    else:
        _print(chosen, len(runs), arguments.dir, keys)
    return 0


def _condition(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UserError(one_line(f"--where {text}: write KEY=VALUE"))
    return key, value


def _value(run: RunFacts, key: str) -> Any:
    return run.config.get(key) if key not in vars(run) else getattr(run, key)


def _has(run: RunFacts, key: str, text: str) -> bool:
    """Whether a value is a text: as it is, as it is shown, or as JSON."""
    value = _value(run, key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            if float(text) == value:
                return True
        except ValueError:
            return False
    return text in (value, json.dumps(value), _cell(run, key))


def _sorted(runs: list[RunFacts], key: str, reverse: bool) -> list[RunFacts]:
    """Runs by a value, numbers before text, then by name; those without a value last."""
    runs = sorted(runs, key=lambda run: _order(run.name))
    order: Callable[[RunFacts], Any] = lambda run: _order(_value(run, key))  # noqa: E731
    known = [run for run in runs if _value(run, key) is not None]
    rest = [run for run in runs if _value(run, key) is None]
    return sorted(known, key=order, reverse=reverse) + rest


def _order(value: Any) -> tuple[Any, ...]:
    if isinstance(value, int | float):
        return 0, value
    parts = re.split(r"(\d{1,99})", value if isinstance(value, str) else json.dumps(value))
    numbered = [int(part) if index % 2 else part for index, part in enumerate(parts)]
    return 1, numbered  # text and numbers in turn: run-9 before run-10


def _cell(run: RunFacts, key: str) -> str:
    """A value as the table shows it."""
    value = _value(run, key)
    if key == "epochs" and run.status != "finished" and run.of_epochs is not None:
        return f"{value or 0}/{run.of_epochs}"
    if key == "status" and run.reason:
        return f"{value}: {run.reason}"
    if value is None:
        return "-"
    if key in ("auroc", "floor"):
        return f"{value:.4f}"
    if key == "seconds":
        return f"{value:.0f}"
    return one_line(value if isinstance(value, str) else json.dumps(value))


def _print(runs: Sequence[RunFacts], of: int, folder: Path, keys: Sequence[str]) -> None:
    from adframe.engine.run_list import RunFacts
    from adframe.io.terminal import Screen
    from adframe.tables.screen import show_table

    screen = Screen()
    count = f"{len(runs)} of {of} runs" if len(runs) != of else f"{of} run{'s' if of != 1 else ''}"
    if runs:
        hidden = ("config", "of_epochs", "reason", "status", *keys)
        columns = [column.name for column in fields(RunFacts) if column.name not in hidden]
        columns = [*columns, *keys, "status"]
        common = _common(runs, columns) if screen.console is not None else {}
        columns = [column for column in columns if column not in common]
        show_table(screen, columns, [[_cell(run, key) for key in columns] for run in runs])
        if common:
            count += ", all with " + ", ".join(f"{key} {text}" for key, text in common.items())
    screen.line(f"{folder}: {count}")


def _common(runs: Sequence[RunFacts], columns: Sequence[str]) -> dict[str, str]:
    """Columns in which several runs have one value, and the value; names stay a column."""
    if len(runs) < 2:
        return {}
    texts = {key: {_cell(run, key) for run in runs} for key in columns if key != "name"}
    return {key: min(cells) for key, cells in texts.items() if len(cells) == 1}
