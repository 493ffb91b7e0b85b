"""Read-only types for hooks: a run and its report."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adframe.interfaces.data import Images, Splits

Interval = tuple[float, float]  #: low and high end of a 95 % interval


@dataclass
class Run:
    """A run in progress, as hooks see it.

    Attributes:
        config: the validated config, as ``run.config.train.epochs``.
        out: the run folder; None if nothing is written.
        data: training and test images.
        test_sets: test images by name: ``inliers`` first, then each outlier set.
        assembly: the components of the run, as ``run.assembly.method``.
        device: device that the network is trained on.
        exposed: known outliers that the run trains with, if there are any.
        calibration: inliers held out of training, if the config has a ``decision``.
        labelled: labelled images that are no test images, if the decision needs them.
        epoch: epochs completed.
        step: batches trained so far, of ``total_steps``.
        epoch_metrics: mean of each metric over the epoch just completed, and the results on the
            validation images if they were scored after it.
        history: ``epoch_metrics`` of all epochs: name -> one value for each epoch, NaN where there
            is none. It is part of the checkpoint, so a resumed run has all of it.
        finished: why training ends, or has ended, before its last epoch; empty if it does not.
        verbose: whether to print anything to the terminal.
    """

    config: Any
    out: Path | None
    data: Splits
    test_sets: dict[str, Images]
    assembly: Any
    device: torch.device
    exposed: Images | None = None
    calibration: Images | None = None
    labelled: Images | None = None
    epoch: int = 0
    step: int = 0
    epoch_metrics: dict[str, float] = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)
    finished: str = ""
    verbose: bool = False

    def __post_init__(self) -> None:
        self._observers: list[object] = []
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken so far, including the processes before a resume."""
        return time.monotonic() - self._started

    @property
    def batch_size(self) -> int:
        """Number of inliers in a batch; at most all training images."""
        return min(int(self.config.train.batch_size), len(self.data.train))

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches in an epoch; the last one may be smaller (``train.drop_last``)."""
        whole, rest = divmod(len(self.data.train), self.batch_size)
        return whole + (rest > 1 and not self.config.train.drop_last)

    @property
    def total_steps(self) -> int:
        """Number of batches in the whole run."""
        return self.batches_per_epoch * int(self.config.train.epochs)

    def attach(self, observer: object) -> None:
        """Calls the hooks of an object from now on, until the run ends.

        Its ``close(error)``, if it has one, is called last; see ``Observer``. It may take no
        argument.
        """
        self.config.loaded.attach(observer)
        self._observers.append(observer)

    def log(self, name: str, value: float) -> None:
        """Adds a metric to the epoch that has just ended: to ``epoch_metrics`` and ``history``.

        So it is part of the checkpoint, and observers may read it. Call it in
        ``adframe_epoch_end``; mark that ``@hookimpl(tryfirst=True)`` if another one reads it.

        Raises:
            ValueError: no epoch has ended, it has a metric of that name, or the value is no number.
        """
        if not self.epoch:
            raise ValueError(f"'{name}' cannot be logged before the first epoch has ended")
        if name in self.epoch_metrics:
            raise ValueError(f"the epoch has a metric '{name}' already")
        value = float(value)  # a tensor of one value will do
        self.epoch_metrics[name] = value
        values = self.history.setdefault(name, [])
        values += [math.nan] * (self.epoch - len(values))
        values[self.epoch - 1] = value

    def finish(self, reason: str) -> None:
        """Ends training after this epoch; the run is then evaluated. The first reason counts."""
        self.finished = self.finished or reason

    def score(self, images: Images) -> dict[str, Tensor]:
        """Scores of images with the network as it is now: name of a scorer -> (N,) float32.

        New scorers are fitted on the training images, at most once between two steps. So it costs
        a pass over these.

        Raises:
            TrainingError: the features of a training image are not finite.
        """
        raise NotImplementedError


@dataclass
class Decision:
    """Which images a scorer calls anomalous: those that score at least a threshold.

    Attributes:
        false_alarms: the rate of false alarms in the config; ``rule`` is what gave the threshold:
            ``false_alarms``, ``recall`` or ``best_f1``, the latter on ``validation_images``.
        threshold: the smallest score that is called anomalous; infinite if there is none.
        calibration: (n,) float32, sorted scores of inliers that were held out of training.
        p_values: test set -> (N,) float64 in (0, 1].
        called: test set -> share of its images that is called anomalous: of ``inliers``, the false
            alarms; of outliers, those found (recall).
        precision: outlier set -> share of anomalies among what is called anomalous of the inliers
            and this set; NaN if nothing is.
        intervals: ``called`` and ``precision`` -> set -> interval.
    """

    false_alarms: float
    threshold: float
    calibration: Tensor = field(repr=False)
    p_values: dict[str, np.ndarray] = field(repr=False)
    called: dict[str, float]
    rule: str = "false_alarms"
    validation_images: int = 0
    precision: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, dict[str, Interval]] = field(default_factory=dict, repr=False)


@dataclass
class Outcome:
    """The scores of one scorer on every test image, and their AUROC.

    Attributes:
        auroc: outlier set -> area under the ROC curve, 0..1.
        scores: test set -> (N,) float32: ``inliers`` first, then each outlier set.
        by_class: outlier set -> class -> AUROC, for sets with several classes.
        metrics: name of a metric -> outlier set -> value, for each of ``metrics`` in the config.
        pooled: ``auroc`` and each metric -> value on all sets of the run's data set together, if
            it has several.
        intervals: ``auroc`` and each metric -> outlier set -> bootstrap interval over the test
            images. Metrics without resamples have none.
        pooled_intervals: the same of ``pooled``; ``mean_interval`` is that of ``mean``.
        map_range: if the scorer gives maps, values of their pixels: ``low`` and ``high``, the
            extremes, and ``normal``, above which half of the inliers have no pixel.
        decision: which images are called anomalous, if the config has a ``decision``.
    """

    auroc: dict[str, float]
    scores: dict[str, Tensor] = field(repr=False)
    by_class: dict[str, dict[str, float]] = field(default_factory=dict, repr=False)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict, repr=False)
    pooled: dict[str, float] = field(default_factory=dict, repr=False)
    intervals: dict[str, dict[str, Interval]] = field(default_factory=dict, repr=False)
    pooled_intervals: dict[str, Interval] = field(default_factory=dict, repr=False)
    mean_interval: Interval | None = None
    map_range: dict[str, float] = field(default_factory=dict, repr=False)
    decision: Decision | None = None

    @property
    def mean(self) -> float:
        """Mean AUROC over the outlier sets; NaN if there is none."""
        return float(np.mean(list(self.auroc.values()))) if self.auroc else float("nan")


@dataclass
class Report:
    """The result of a run: the content of ``result.json`` as values.

    Attributes:
        outcomes: scorer name -> scores and AUROC; the first is the main scorer.
        floor: ``cosine`` and ``l2`` -> the same by the nearest training image on raw pixels.
        seconds: seconds of training and evaluation, including the time before a resume.
        epochs: number of epochs trained.
        out: the run folder; None if nothing was written.
        finished: why training ended before its last epoch; empty if it did not.
        failed: scorer name -> why its scores cannot be used. Its outcome has no AUROC, and its
            scores are those that it gave, or NaN. ``pixel floor`` stands for the floor.
        validation: figures on the validation images with the network at the end, such as
            ``validation_auroc``; empty in a config without ``validation``.
    """

    outcomes: dict[str, Outcome]
    floor: dict[str, Outcome]
    seconds: float
    epochs: int
    out: Path | None = None
    failed: dict[str, str] = field(default_factory=dict)
    finished: str = ""
    validation: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        scorer, count = next(iter(self.outcomes)), len(self.auroc)
        sets = f"{count} outlier set{'s' if count != 1 else ''}"
        failed = f", failed: {', '.join(self.failed)}" if self.failed else ""
        return (
            f"Report(AUROC {self.mean_auroc:.4f} by {scorer} on {sets}, {self.epochs} epochs, "
            f"{self.seconds:.0f} s{failed})"
        )

    @property
    def below_floor(self) -> bool:
        """Whether comparing raw pixels gives a higher mean AUROC than the first scorer."""
        return any(outcome.mean > self.mean_auroc for outcome in self.floor.values())

    @property
    def auroc(self) -> dict[str, float]:
        """Outlier set -> AUROC of the first scorer."""
        return next(iter(self.outcomes.values())).auroc

    @property
    def mean_auroc(self) -> float:
        """Mean AUROC of the first scorer over the outlier sets."""
        return next(iter(self.outcomes.values())).mean
