"""Checks the stored scores of a run against new scores from its model."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from adframe.engine.global_state import kept
from adframe.engine.report import result_json, scores_csv
from adframe.engine.runner import evaluate_trained, load_run
from adframe.errors import UserError
from adframe.io.atomic import read_json
from adframe.io.read import read_text


@kept()
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
    run = load_run(folder, **options)
    with run.observed(by_config=False):
        report = evaluate_trained(run, folder, fitted=True)
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
        columns = [at for at, name in enumerate(found[0]) if name.partition("_")[0] == "score"]
        try:
            gaps = [_difference(was, now, columns) for was, now in differing]
        except ValueError as error:
            raise UserError(f"{path}: damaged: {error}") from error
        most = max(range(len(gaps)), key=gaps.__getitem__)
        (row, _), images = differing[most], f"{len(differing)} of {len(pairs)} images"
        if gaps[most] == 0:
            return f"{path}: {images} have a different p-value or decision, such as {row[0]}"
        return (
            f"{path}: {images} have a different score; "
            f"the largest difference is {gaps[most]:.3g}, for {row[0]}"
        )
    stored_result, result = read_json(folder / "result.json"), result_json(report)
    for key in ("auroc", "mean_auroc", "floor", "scorers", "failed"):
        if not isinstance(stored_result, dict) or stored_result.get(key) != result.get(key):
            return f"{folder / 'result.json'}: {key} does not match the scores"
    return None


def _which(row: list[str]) -> tuple[str, ...]:
    """Path, label, set and number of columns of a row of scores."""
    return (*row[:2], *row[3:4], str(len(row)))


def _difference(was: list[str], now: list[str], columns: list[int]) -> float:
    return max(abs(float(was[at]) - float(now[at])) for at in columns)
