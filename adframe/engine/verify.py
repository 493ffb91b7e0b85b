"""Checks the stored scores of a run against new scores from its model."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from adframe.engine.report import result_json, scores_csv
from adframe.engine.runner import load_run
from adframe.errors import UserError
from adframe.io.atomic import read_json
from adframe.io.read import read_text


def verify(folder: Path, **options: Any) -> str | None:
    """Score the test images of a finished run again; writes nothing.

    Args:
        folder: a run folder.
        options: plugins, without, allow_code, as for ``load_config``.

    Returns:
        One line that names the difference to ``scores.csv`` or ``result.json``; None if all agree.

    Raises:
        UserError: the folder holds no finished run, or a file of it is damaged.
    """
    run, report = load_run(folder, **options)
    path = folder / "scores.csv"
    try:
        stored = list(csv.reader(io.StringIO(read_text(path), newline="")))
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    found = list(csv.reader(io.StringIO(scores_csv(report, run.test_sets), newline="")))
    if [_which(row) for row in stored] != [_which(row) for row in found] or stored[0] != found[0]:
        return f"{path}: does not list the test images of the run"
    pairs = list(zip(stored[1:], found[1:], strict=True))
    differing = [(was, now) for was, now in pairs if was != now]
    if differing:
        try:
            worst = max(differing, key=lambda pair: _difference(*pair))
        except ValueError as error:
            raise UserError(f"{path}: damaged: {error}") from error
        return (
            f"{path}: {len(differing)} of {len(pairs)} images have a different score; "
            f"the largest difference is {_difference(*worst):.3g}, for {worst[0][0]}"
        )
    stored_result, result = read_json(folder / "result.json"), result_json(report)
    for key in ("auroc", "mean_auroc", "floor", "scorers"):
        if not isinstance(stored_result, dict) or stored_result.get(key) != result[key]:
            return f"{folder / 'result.json'}: {key} does not match the scores"
    return None


def _which(row: list[str]) -> tuple[str, ...]:
    """Path, label, set and number of columns of a row of scores."""
    return (*row[:2], *row[3:4], str(len(row)))


def _difference(was: list[str], now: list[str]) -> float:
    scores = zip((was[2], *was[4:]), (now[2], *now[4:]), strict=True)
    return max(abs(float(a) - float(b)) for a, b in scores)
