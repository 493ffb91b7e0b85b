"""Read-only types for hooks: a run and its report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from adframe.interfaces.data import Images, Splits


class Run(Protocol):
    """A run in progress; hooks receive it.

    Attributes:
        config: the validated config, as ``run.config.train.epochs``.
        out: the run folder; None if nothing is written.
        data: training and test images.
        test_sets: test images by name: ``inliers`` first, then each outlier set.
        assembly: the components of the run, as ``run.assembly.method``.
        device: device that the network is trained on.
        exposed: known outliers that the run trains with, if there are any.
        epoch: epochs completed.
        step: batches trained so far.
        epoch_metrics: mean of each metric over the epoch just completed.
        verbose: whether to print anything to the terminal.
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
        """Seconds that the run has taken so far, including the processes before a resume."""

    @property
    def batch_size(self) -> int:
        """Number of inliers in a batch."""

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches in an epoch."""

    @property
    def total_steps(self) -> int:
        """Number of batches in the whole run."""

    def attach(self, observer: object) -> None:
        """Calls the hooks of an object from now on, until the run ends."""


class Outcome(Protocol):
    """The scores of one scorer on every test image."""

    @property
    def auroc(self) -> Mapping[str, float]:
        """Outlier set -> AUROC, 0..1."""

    @property
    def mean(self) -> float:
        """Mean AUROC over the outlier sets."""


class Report(Protocol):
    """The results of a run."""

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Scorer name -> outcome. The first one is the main scorer."""

    @property
    def floor(self) -> Mapping[str, Outcome]:
        """``cosine`` and ``l2``: outcomes of nearest neighbours on raw pixels, without training."""

    @property
    def auroc(self) -> Mapping[str, float]:
        """Outlier set -> AUROC of the first scorer."""

    @property
    def mean_auroc(self) -> float:
        """Mean AUROC of the first scorer over the outlier sets."""

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation, including the time before a resume."""

    @property
    def epochs(self) -> int:
        """Number of epochs trained."""

    @property
    def out(self) -> Path | None:
        """The run folder; None if nothing was written."""
