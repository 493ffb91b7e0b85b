"""Figures of a finished run, validated: as ``result.json`` and ``table.json`` hold them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge, Interval
from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Interval(ge=0, le=1)]
Values = Mapping[str, float | None]


class Judged(BaseModel):
    """Figures of one scorer, 0..1, as ``result.json`` and ``table.json`` hold them.

    Attributes:
        auroc: outlier set -> AUROC; empty without outliers to test with.
        mean_auroc: mean of ``auroc``.
        metrics: metric -> outlier set -> value; None where a run has none.
        pooled: ``auroc`` and each metric -> value on all sets of the data set together.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    auroc: Mapping[str, Share]
    mean_auroc: Share | None
    metrics: Mapping[str, Values] = Field(default_factory=dict)
    pooled: Values = Field(default_factory=dict)

    def value(self, outliers: str | None, metric: str | None = None) -> float | None:
        """A figure in percent, on one set of outliers or on all; see ``Column``."""
        value = self._figure(outliers, metric)
        return None if value is None else 100 * value

    def _figure(self, outliers: str | None, metric: str | None) -> float | None:
        by_set: Values = self.auroc if metric in (None, "auroc") else self.metrics.get(metric, {})
        if outliers is not None:
            return by_set.get(outliers)
        if metric is None:
            return self.mean_auroc
        if metric in self.pooled:
            return self.pooled[metric]
        values = [value for value in by_set.values() if value is not None]
        return statistics.fmean(values) if values and len(values) == len(by_set) else None


#: Of a run that is not done.
NOTHING = Judged(auroc={}, mean_auroc=None)


class Floor(BaseModel):
    """What raw pixels reach, by one measure."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    mean_auroc: Share | None


class FinishedRun(Judged):
    """A finished run in its ``result.json``; the figures of ``Judged`` are of the first scorer."""

    scorers: Mapping[str, Judged] = Field(default_factory=dict)
    epochs: Annotated[int, Ge(0)] | None = None
    seconds: float | None = None
    floor: Mapping[str, Floor] = Field(default_factory=dict)
    below_floor: bool = False


class RecordedRun(Judged):
    """A finished run in a ``table.json``; the figures of ``Judged`` are of the first scorer."""

    cell: str
    config: str
    settings: dict[str, Any]
    epochs: Annotated[int, Ge(0)]
    images: Annotated[int, Ge(0)]
    scorers: Mapping[str, Judged]
    seconds: float | None
    floor: Share | None
    below_floor: bool
