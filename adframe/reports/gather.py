"""Reads what a report shows of a run folder, without its network."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from adframe.engine.run_list import RunFacts, read_run
from adframe.errors import UserError
from adframe.io.atomic import read_json
from adframe.io.read import read_text, sha256_of

ALIKE = 1e-6  # of the largest score: all scores are one
MAX_FILES = 50_000  # that are compared with each other


@dataclass(frozen=True)
class TestImage:
    """A test image with its score by the main scorer.

    Attributes:
        part: the test set: ``inliers``, or a set of outliers.
        anomalous: whether the run's decision calls it anomalous; None without a decision.
    """

    path: str
    part: str
    score: float
    p_value: float | None
    anomalous: bool | None

    @property
    def good(self) -> bool:
        """Whether it is an inlier."""
        return self.part == "inliers"


@dataclass
class RunView:
    """What a report shows of a run.

    Attributes:
        result: content of ``result.json``; ``environment`` that of ``environment.json``.
        log: lines of ``metrics.jsonl``: one for each epoch.
        config: the config as YAML, with the origin of each value if that is recorded.
        unusual: what a reader should know before they trust the result.
    """

    folder: Path
    facts: RunFacts
    result: dict[str, Any]
    environment: dict[str, Any]
    log: list[dict[str, Any]]
    config: str
    images: list[TestImage]
    training: list[str]
    unusual: list[str] = field(default_factory=list)

    @property
    def threshold(self) -> float | None:
        """The smallest score that is called anomalous; None without one."""
        found = self.decision.get("threshold")
        return float(found) if isinstance(found, int | float) else None

    @property
    def decision(self) -> dict[str, Any]:
        """What ``result.json`` has on the decision of the main scorer."""
        found = self.result.get("decision")
        return found if isinstance(found, dict) else {}

    def scores(self) -> dict[str, np.ndarray]:
        """Scores by test set, inliers first."""
        found: dict[str, list[float]] = {"inliers": []}
        for image in self.images:
            found.setdefault(image.part, []).append(image.score)
        return {name: np.array(of) for name, of in found.items()}


def gather(folder: Path) -> RunView:
    """Read a run folder.

    Raises:
        UserError: it holds no finished run, or a file of it is damaged.
    """
    facts = read_run(folder, folder)
    if facts.status != "finished":
        reason = f": {facts.reason}" if facts.reason else ""
        raise UserError(f"{folder}: is no finished run: {facts.status}{reason}")
    origins = folder / "origins.yaml"
    view = RunView(
        folder,
        facts,
        _mapping(folder / "result.json"),
        _mapping(folder / "environment.json"),
        list(_log(folder / "metrics.jsonl")),
        read_text(origins if origins.exists() else folder / "config.yaml"),
        list(_images(folder / "scores.csv")),
        _trained_on(folder / "training.csv"),
    )
    view.unusual = list(_unusual(view))
    return view


def _trained_on(path: Path) -> list[str]:
    """Names of the training images, calibration images left aside; none without the file."""
    if not path.exists():
        return []
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""))
    try:
        return [row["path"] for row in rows if row["use"] == "train"]
    except (csv.Error, KeyError) as error:
        raise UserError(f"{path}: damaged: {error}") from error


def _mapping(path: Path) -> dict[str, Any]:
    found = read_json(path) if path.exists() else {}
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds no mapping")
    return found


def _log(path: Path) -> Iterator[dict[str, Any]]:
    """Lines of the log that can be read; the others are passed over."""
    for line in read_text(path).splitlines() if path.exists() else ():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def _images(path: Path) -> Iterator[TestImage]:
    try:
        for row in csv.DictReader(io.StringIO(read_text(path), newline="")):
            value, called = row.get("p_value"), row.get("anomalous")
            score = float(row["score"])
            yield TestImage(
                row["path"],
                row["set"],
                score,
                float(value) if value else None,
                None if called in (None, "") else called == "1",
            )
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise UserError(f"{path}: damaged: {error}") from error


def _unusual(view: RunView) -> Iterator[str]:
    result = view.result
    if result.get("below_floor"):
        yield (
            "The result is worse than comparing raw pixels with the training images. The network "
            "has learned nothing that helps here."
        )
    failed = result.get("failed")
    for name, reason in (failed if isinstance(failed, dict) else {}).items():
        yield f"{name} failed: {reason}"
    values = np.array([image.score for image in view.images])
    if len(values) and np.ptp(values) <= ALIKE * np.abs(values).max():
        yield "All scores are equal: the network gives every image the same features (collapse)."
    if view.decision and view.threshold is None:
        count = view.decision.get("calibration_images")
        yield f"{count} calibration images are too few for the stated rate of false alarms."
    auroc = result.get("auroc")
    low = [name for name, of in (auroc if isinstance(auroc, dict) else {}).items() if of < 0.5]
    if low:
        yield f"Anomalies of {', '.join(low)} score lower than normal images (AUROC below 0.5)."
    yield from _copies(view)


def _copies(view: RunView) -> Iterator[str]:
    """Files with the same bytes, among the images that are files."""
    tested = [image.path for image in view.images]
    sizes: dict[int, list[str]] = {}
    for path in dict.fromkeys([*view.training, *tested][:MAX_FILES]):
        try:
            sizes.setdefault(Path(path).stat().st_size, []).append(path)
        except (OSError, ValueError):
            return  # not files, or not here
    first: dict[str, str] = {}
    trained, pairs_of = set(view.training), list[tuple[str, str]]
    leaks, copies = pairs_of(), pairs_of()
    for paths in sizes.values():
        for path in paths if len(paths) > 1 else ():
            known = first.setdefault(sha256_of(path), path)
            if known != path:
                (leaks if known in trained and path not in trained else copies).append(
                    (path, known)
                )
    for pairs, what in ((leaks, "test images are copies of training images"),
                        (copies, "images are copies of others in the same part")):  # fmt: skip
        if pairs:
            yield f"{len(pairs)} {what}, such as {pairs[0][0]} and {pairs[0][1]}."
