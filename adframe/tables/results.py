"""Results of the runs of a grid, from their folders, and their means in a column."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from adframe.engine.judge import scorer_names
from adframe.engine.run_list import is_complete
from adframe.errors import UserError
from adframe.io.atomic import read_json
from adframe.tables.grid import Cell, Grid
from adframe.tables.judged import NOTHING, FinishedRun, Judged


@dataclass(frozen=True)
class Result:
    """Result of a cell, with its status: ``done``, ``failed``, ``half-finished`` or ``to do``.

    Attributes:
        images: number of training images; as the table declares it until the run has started.
        main: figures of the first scorer; without values until done.
        scorers: component -> figures of the last scorer of that name, if it has not failed.
        recorded: whether it is that of another folder.
        floor: mean AUROC of the nearest training image on raw pixels, by the cosine.
        below_floor: whether raw pixels give a higher mean AUROC.
        reason: why it failed.
    """

    status: str
    epochs: int
    images: int
    main: Judged = NOTHING
    scorers: Mapping[str, Judged] = field(default_factory=dict)
    seconds: float | None = None
    floor: float | None = None
    below_floor: bool = False
    reason: str = ""
    recorded: bool = False

    def value(
        self, outliers: str | None, metric: str | None = None, scorer: str | None = None
    ) -> float | None:
        """A figure in percent, on one set of outliers or on all; see ``Column``."""
        of = self.main if scorer is None else self.scorers.get(scorer, NOTHING)
        return of.value(outliers, metric)


def read_result(cell: Cell, reason: str = "") -> Result:
    """Result of a cell, from its folder or else as recorded. A damaged result counts as missing."""
    images = _json(cell, "environment.json").get("train_images")
    if type(images) is not int or images < 0:
        images = cell.images
    done = _finished(cell)
    if done is not None:  # also if it failed before
        epochs = cell.config.train.epochs if done.epochs is None else done.epochs
        floor = done.floor["cosine"].mean_auroc if "cosine" in done.floor else None
        last = _last_scorers(cell, done)
        return Result("done", epochs, images, done, last, done.seconds, floor, done.below_floor)
    run = cell.recorded
    if run is not None:
        facts = run.epochs, run.images, run, run.scorers, run.seconds, run.floor, run.below_floor
        return Result("done", *facts, recorded=True)
    epochs = cell.config.train.epochs
    if reason:
        return Result("failed", epochs, images, reason=reason)
    begun = (cell.folder / "config.yaml").exists()
    return Result("half-finished" if begun else "to do", epochs, images)


def _finished(cell: Cell) -> FinishedRun | None:
    found = _json(cell, "result.json")
    if not is_complete(found):
        return None
    try:
        return FinishedRun.model_validate(found)
    except ValidationError as error:
        wrong = {each["loc"][0] for each in error.errors()}
    if not wrong <= _FACTS:
        return None
    return FinishedRun.model_validate({k: v for k, v in found.items() if k not in wrong})


_FACTS = {"epochs", "seconds", "floor", "below_floor"}  # without one of these a run is still done


def _last_scorers(cell: Cell, done: FinishedRun) -> dict[str, Judged]:
    """Component -> figures of the last scorer of that name."""
    names = zip(scorer_names(cell.config), cell.config.scorer, strict=True)
    last = {spec.entry.name: done.scorers.get(name) for name, spec in names}
    return {name: of for name, of in last.items() if of is not None}


def _json(cell: Cell, name: str) -> dict[str, Any]:
    try:
        value = read_json(cell.folder / name)
    except UserError:
        return {}
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Value:
    """A row's value in a column: the mean over its tasks, then over seeds.

    Attributes:
        seeds: seed -> percent, for seeds with all tasks done.
        done: number of ``runs`` that are done; ``failed`` is the number that failed.
        whole: whether every run is done and has an AUROC.
    """

    seeds: dict[int, float]
    done: int
    failed: int
    runs: int
    whole: bool

    @property
    def mean(self) -> float | None:
        """Percent; None until every run is done, or if one has no AUROC."""
        return statistics.fmean(self.seeds.values()) if self.seeds and self.whole else None

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over seeds; None for fewer than two."""
        several = self.mean is not None and len(self.seeds) > 1
        return statistics.stdev(self.seeds.values()) if several else None


def column_value(
    grid: Grid,
    results: Mapping[str, Result],
    row: str,
    tasks: list[str],
    outliers: str | None,
    metric: str | None = None,
    scorer: str | None = None,
) -> Value:
    """Value of a row over these tasks and the seeds of the grid; see ``Column``."""
    seeds, done, failed, runs = {}, 0, 0, 0
    for seed in grid.seeds:
        names = [f"{row}/{task}/{seed}" for task in tasks]
        of_seed = [results[name] for name in names if name in results]
        runs += len(names)
        found = [result.value(outliers, metric, scorer) for result in of_seed]
        values = [value for value in found if value is not None]
        done += sum(result.status == "done" for result in of_seed)
        failed += sum(result.status == "failed" for result in of_seed)
        if values and len(values) == len(tasks):
            seeds[seed] = statistics.fmean(values)
    return Value(seeds, done, failed, runs, len(seeds) == len(grid.seeds))
