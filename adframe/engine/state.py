"""The state of a run: config, data, components and position."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from adframe.config.model import RunConfig
from adframe.engine.build import Assembly
from adframe.engine.interrupt import Stop
from adframe.interfaces import Images, Splits


@dataclass
class Run:
    """A run in progress; hooks receive it.

    Attributes:
        config, out, data, test_sets, assembly, device: what ``prepare`` built and read.
        exposed: known outliers, if the config names them under ``exposure``.
        step: batches trained so far, of ``total_steps``.
        epoch: epochs completed.
        previous_seconds: seconds of the earlier processes of a resumed run.
        epoch_metrics: mean of each metric over the epoch just completed.
        verbose: whether to show anything on the terminal.
        fingerprint: SHA-256 of config and training images, if the run has a folder.
        stop: handles the signals that stop the run.
    """

    config: RunConfig
    out: Path | None
    data: Splits
    test_sets: dict[str, Images]
    assembly: Assembly
    device: torch.device
    exposed: Images | None = None
    epoch: int = 0
    step: int = 0
    previous_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)
    epoch_metrics: dict[str, float] = field(default_factory=dict)
    verbose: bool = False
    fingerprint: dict[str, str] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        self._observers: list[object] = []

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken so far, including earlier processes."""
        return self.previous_seconds + time.monotonic() - self.started

    @property
    def batch_size(self) -> int:
        """Number of inliers in a batch; at most all training images."""
        return min(self.config.train.batch_size, len(self.data.train))

    @property
    def batches_per_epoch(self) -> int:
        """Number of complete batches in an epoch; the images that remain are not used in it."""
        return len(self.data.train) // self.batch_size

    @property
    def exposed_per_inlier(self) -> float:
        """Number of known outliers in a batch for each inlier."""
        return self.config.exposure.ratio if self.config.exposure else 0.0

    @property
    def total_steps(self) -> int:
        """Number of batches in the whole run."""
        return self.batches_per_epoch * self.config.train.epochs

    @property
    def hook(self) -> Any:
        """Calls the hooks of every plugin and of attached objects."""
        return self.config.loaded.hook

    def attach(self, observer: object) -> None:
        """Call the hooks of an object from now on, until this run ends."""
        self.config.loaded.manager.register(observer)
        self._observers.append(observer)

    def detach(self) -> None:
        """Detach all observers at the end of the run."""
        for observer in self._observers:
            self.config.loaded.manager.unregister(observer)
            getattr(observer, "close", lambda: None)()
        self._observers.clear()
