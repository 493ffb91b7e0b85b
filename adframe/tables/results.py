"""Results of the runs of a grid, from their folders, and their means in a column."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adframe.engine.run_list import is_complete
from adframe.errors import UserError
from adframe.io.atomic import read_json
from adframe.tables.grid import Cell, Grid


@dataclass(frozen=True)
class Result:
    """Result of a cell, with its status: ``done``, ``failed``, ``half-finished`` or ``to do``.

    Attributes:
        auroc: outlier set -> AUROC, 0..1; empty until done, and without outliers to test with.
        images: number of training images; as the table declares it until the run has started.
        metrics: metric -> outlier set -> value; None where a run has none.
        pooled: ``auroc`` and each metric -> value on all sets of the data set together.
        floor: mean AUROC of the nearest training image on raw pixels, by the cosine.
        below_floor: whether raw pixels give a higher mean AUROC.
        reason: why it failed.
    """

    status: str
    epochs: int
    images: int
    auroc: Mapping[str, float]
    mean_auroc: float | None = None
    seconds: float | None = None
    floor: float | None = None
    below_floor: bool = False
    reason: str = ""
    metrics: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    pooled: Mapping[str, float | None] = field(default_factory=dict)

    def value(self, outliers: str | None, metric: str | None = None) -> float | None:
        """A figure in percent, on one set of outliers or on all; see ``Column``."""
        value = self._figure(outliers, metric)
        return None if value is None else 100 * value

    def _figure(self, outliers: str | None, metric: str | None) -> float | None:
        by_set = self.auroc if metric in (None, "auroc") else self.metrics.get(metric, {})
        if outliers is not None:
            return by_set.get(outliers)
        if metric is None:
            return self.mean_auroc
        if metric in self.pooled:
            return self.pooled[metric]
        values = [value for value in by_set.values() if value is not None]
        return statistics.fmean(values) if values and len(values) == len(by_set) else None


def read_result(cell: Cell, reason: str = "") -> Result:
    """Result of a cell, from its folder. A damaged result counts as missing."""
    images = _json(cell, "environment.json").get("train_images", cell.images)
    found = _json(cell, "result.json")
    if is_complete(found):  # also if it failed before
        return Result(
            "done",
            found.get("epochs", cell.config.train.epochs),
            images,
            found.get("auroc", {}),
            found["mean_auroc"],
            found.get("seconds"),
            found.get("floor", {}).get("cosine", {}).get("mean_auroc"),
            bool(found.get("below_floor")),
            metrics=found.get("metrics", {}),
            pooled=found.get("pooled", {}),
        )
    epochs = cell.config.train.epochs
    if reason:
        return Result("failed", epochs, images, {}, reason=reason)
    begun = (cell.folder / "config.yaml").exists()
    return Result("half-finished" if begun else "to do", epochs, images, {})


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
) -> Value:
    """Value of a row over these tasks and the seeds of the grid."""
    seeds, done, failed, runs = {}, 0, 0, 0
    for seed in grid.seeds:
        names = [f"{row}/{task}/{seed}" for task in tasks]
        of_seed = [results[name] for name in names if name in results]
        runs += len(names)
        found = [result.value(outliers, metric) for result in of_seed]
        values = [value for value in found if value is not None]
        done += sum(result.status == "done" for result in of_seed)
        failed += sum(result.status == "failed" for result in of_seed)
        if values and len(values) == len(tasks):
            seeds[seed] = statistics.fmean(values)
    return Value(seeds, done, failed, runs, len(seeds) == len(grid.seeds))
