"""The files that the result of a run is written to."""

from __future__ import annotations

import io
from math import isfinite
from typing import Any

from adframe.engine import model_file
from adframe.engine.decision import COLUMNS, columns, decision_json, finite_intervals
from adframe.engine.state import Run
from adframe.interfaces import Images, Outcome, Report
from adframe.io import atomic
from adframe.io.rows import RowWriter


def result_json(report: Report) -> dict[str, Any]:
    """The content of ``result.json``."""

    def of(outcome: Outcome) -> dict[str, Any]:
        mean = outcome.mean if outcome.auroc else None
        metrics = {name: _finite(of) for name, of in outcome.metrics.items()}
        more: dict[str, Any] = {
            "classes": outcome.by_class,
            "metrics": metrics,
            "pooled": _finite(outcome.pooled),
            "intervals": _intervals(outcome),
            "map_range": outcome.map_range,
        }
        if outcome.decision is not None:
            more["decision"] = decision_json(outcome.decision)
        more = {name: values for name, values in more.items() if values}
        return {"auroc": outcome.auroc, "mean_auroc": mean, **more}

    return {
        **of(next(iter(report.outcomes.values()))),
        "below_floor": report.below_floor,
        "floor": {measure: of(outcome) for measure, outcome in report.floor.items()},
        "scorers": {name: of(outcome) for name, outcome in report.outcomes.items()},
        **({"failed": report.failed} if report.failed else {}),
        **({"finished": report.finished} if report.finished else {}),
        **({"validation": report.validation} if report.validation else {}),
        "seconds": round(report.seconds, 1),
        "epochs": report.epochs,
    }


def _intervals(outcome: Outcome) -> dict[str, Any]:
    """95 % intervals: of the mean, of each figure on each set, and of the pooled ones."""
    found: dict[str, Any] = {}
    if outcome.mean_interval is not None:
        found["mean_auroc"] = list(outcome.mean_interval)
    found |= {name: finite_intervals(of) for name, of in outcome.intervals.items()}
    if outcome.pooled_intervals:
        found["pooled"] = finite_intervals(outcome.pooled_intervals)
    return found


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """Values of a metric; None for NaN, which is not JSON."""
    return {name: value if isfinite(value) else None for name, value in values.items()}


def scores_csv(report: Report, test_sets: dict[str, Images]) -> str:
    """The text of ``scores.csv``: path or index, label (1 = outlier), score and set.

    If the config has a ``decision``: also the p-value of the first scorer, and whether it calls the
    image anomalous (1).
    """
    first, *others = report.outcomes.items()
    stream = io.StringIO()
    writer = RowWriter(stream)
    decision = first[1].decision
    decided = [] if decision is None else COLUMNS
    more = [f"score_{name}" for name, _ in others]
    writer.writerow(["path", "label", "score", "set", *more, *decided])
    for title, images in test_sets.items():
        cells: list[list[Any]] = [outcome.scores[title].tolist() for _, outcome in (first, *others)]
        if decision is not None:
            values = decision.p_values[title]
            cells += columns(first[1].scores[title].numpy(), values, decision.threshold)
        for name, score_, *more in zip(images.names, *cells, strict=True):
            writer.writerow([name, int(title != "inliers"), score_, title, *more])
    return stream.getvalue()


def training_csv(run: Run) -> str:
    """The text of ``training.csv``: the images that the run learned from, in the order of fitting.

    ``use`` is ``train``, or ``calibration`` for those that are held out for the decision.
    """
    stream = io.StringIO()
    writer = RowWriter(stream)
    writer.writerow(["path", "use"])
    writer.writerows([name, "train"] for name in run.data.train.names)
    if run.calibration is not None:
        writer.writerows([name, "calibration"] for name in run.calibration.names)
    return stream.getvalue()


def write_report(report: Report, run: Run) -> None:
    """Write model, scores and result; ``result.json`` comes last and marks a complete folder."""
    assert run.out is not None, "a report is written into a folder"
    run.lock.check()
    known = [outcome.decision for outcome in report.outcomes.values()]
    calibration = [None if each is None else each.calibration for each in known]
    labelled = [each.threshold if each and each.validation_images else None for each in known]
    model_file.save_model(run, run.out, calibration, labelled)
    atomic.write(run.out / "training.csv", training_csv(run))
    atomic.write(run.out / "scores.csv", scores_csv(report, run.test_sets))
    atomic.write_json(run.out / "result.json", result_json(report))
