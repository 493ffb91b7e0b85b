"""What a run came to, and how it is written down."""

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
    """What a run came to: ``result.json`` as values.

    Attributes:
        outcomes: scorer name -> its scores and AUROC; the first is the run's own.
        floor: ``cosine`` and ``l2``, the same for raw-pixel nearest neighbours, untrained.
        seconds: training and evaluation, resumed parts included.
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


def scores_csv(report: Report, parts: dict[str, Images]) -> str:
    """One row a test image: path or index, label (1 = outlier), score, outlier set."""
    first, *others = report.outcomes.items()
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["path", "label", "score", "set", *(f"score_{name}" for name, _ in others)])
    for part, images in parts.items():
        columns = [outcome.scores[part].tolist() for _, outcome in (first, *others)]
        for name, score_, *more in zip(images.names, *columns, strict=True):
            writer.writerow([name, int(part != "inliers"), score_, part, *more])
    return stream.getvalue()


def write_report(report: Report, run: Run) -> None:
    """Write what evaluation found; ``result.json`` comes last, and says the folder is whole."""
    assert run.out is not None, "a report is written into a folder"
    facts = {
        "image_size": list(run.data.train.pixels.shape[1:]),
        "classes": list(run.data.classes),
        "epochs": report.epochs,
    }
    checkpoint.save_model(run, facts)
    atomic.write(run.out / "scores.csv", scores_csv(report, run.test_sets))
    atomic.write_json(run.out / "result.json", report.dump())
