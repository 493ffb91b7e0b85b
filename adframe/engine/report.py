"""The result of a run, and the files that contain it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adframe.engine import checkpoint
from adframe.engine.metrics import Outcome
from adframe.engine.state import Run
from adframe.interfaces import Images
from adframe.io import atomic


@dataclass
class Report:
    """The result of a run: the content of ``result.json`` as values.

    Attributes:
        outcomes: scorer name -> scores and AUROC; the first is the main scorer.
        floor: ``cosine`` and ``l2`` -> the same by the nearest training image on raw pixels.
        seconds: seconds of training and evaluation, of all processes of a resumed run.
        epochs: epochs trained.
        out: the run folder, if there is one.
    """

    outcomes: dict[str, Outcome]
    floor: dict[str, Outcome]
    seconds: float
    epochs: int
    out: Path | None = None

    def __repr__(self) -> str:
        scorer, count = next(iter(self.outcomes)), len(self.auroc)
        sets = f"{count} outlier set{'s' if count > 1 else ''}"
        return (
            f"Report(AUROC {self.mean_auroc:.4f} by {scorer} on {sets}, {self.epochs} epochs, "
            f"{self.seconds:.0f} s)"
        )

    @property
    def auroc(self) -> dict[str, float]:
        """Outlier set -> AUROC of the first scorer."""
        return next(iter(self.outcomes.values())).auroc

    @property
    def mean_auroc(self) -> float:
        """Mean AUROC of the first scorer over the outlier sets."""
        return next(iter(self.outcomes.values())).mean

    def dump(self) -> dict[str, Any]:
        """The content of ``result.json``."""
        return {
            **next(iter(self.outcomes.values())).dump(),
            "floor": {measure: outcome.dump() for measure, outcome in self.floor.items()},
            "scorers": {name: outcome.dump() for name, outcome in self.outcomes.items()},
            "seconds": round(self.seconds, 1),
            "epochs": self.epochs,
        }


def scores_csv(report: Report, test_sets: dict[str, Images]) -> str:
    """The text of ``scores.csv``: path or index, label (1 = outlier), score and set."""
    first, *others = report.outcomes.items()
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["path", "label", "score", "set", *(f"score_{name}" for name, _ in others)])
    for title, images in test_sets.items():
        columns = [outcome.scores[title].tolist() for _, outcome in (first, *others)]
        for name, score_, *more in zip(images.names, *columns, strict=True):
            writer.writerow([name, int(title != "inliers"), score_, title, *more])
    return stream.getvalue()


def write_report(report: Report, run: Run) -> None:
    """Write model, scores and result; ``result.json`` comes last and marks a complete folder."""
    assert run.out is not None, "a report is written into a folder"
    facts = {
        "image_size": list(run.data.train.pixels.shape[1:]),
        "classes": list(run.data.classes),
        "epochs": report.epochs,
    }
    checkpoint.save_model(run, facts)
    atomic.write(run.out / "scores.csv", scores_csv(report, run.test_sets))
    atomic.write_json(run.out / "result.json", report.dump())
