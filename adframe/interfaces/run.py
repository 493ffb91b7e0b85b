"""What a hook may read of a run and of its report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from adframe.interfaces.data import Images, Splits


class Run(Protocol):
    """A run under way, as hooks see it.

    Attributes:
        config: the validated config, as ``run.config.train.epochs``.
        out: the run folder; None where nothing is written.
        data: training and test images.
        test_sets: the test images, ``inliers`` first and then each outlier set.
        assembly: the components of the run, as ``run.assembly.method``.
        device: where the network is trained.
        exposed: known outliers that the run trains with, if the config asks for them.
        epoch: epochs completed.
        step: batches trained so far.
        epoch_metrics: mean of each metric over the epoch just completed.
        verbose: whether to show anything on the terminal.
    """

    config: Any
    out: Path | None
    data: Splits
    test_sets: dict[str, Images]
    assembly: Any
    device: torch.device
    exposed: Images | None
    epoch: int
    step: int
    epoch_metrics: dict[str, float]
    verbose: bool

    @property
    def seconds(self) -> float:
        """Time this run has taken so far, earlier processes included."""

    @property
    def batch_size(self) -> int:
        """Inliers in a batch."""

    @property
    def batches_per_epoch(self) -> int:
        """Batches in an epoch."""

    @property
    def total_steps(self) -> int:
        """Batches in the whole run."""

    def attach(self, observer: object) -> None:
        """Call the hooks of an object from now on, until this run ends."""


class Outcome(Protocol):
    """The scores of one scorer on every test image."""

    @property
    def auroc(self) -> Mapping[str, float]:
        """Outlier set -> AUROC, 0..1."""

    @property
    def mean(self) -> float:
        """Mean AUROC over the outlier sets."""


class Report(Protocol):
    """What a run came to."""

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Scorer name -> its outcome; the first is the run's own."""

    @property
    def floor(self) -> Mapping[str, Outcome]:
        """``cosine`` and ``l2``: the same for raw-pixel nearest neighbours, untrained."""

    @property
    def auroc(self) -> Mapping[str, float]:
        """Outlier set -> AUROC of the first scorer."""

    @property
    def mean_auroc(self) -> float:
        """Mean AUROC of the first scorer over the outlier sets."""

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation, resumed parts included."""

    @property
    def epochs(self) -> int:
        """Epochs trained."""

    @property
    def out(self) -> Path | None:
        """The run folder, if there is one."""
