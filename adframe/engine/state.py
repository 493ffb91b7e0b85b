"""A run under way: its config, data, components and position."""

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
    """A run under way, as hooks see it.

    Attributes:
        exposed: outliers to train beside the inliers, if the config asks for them.
        step: batches trained so far, of ``total``.
        epoch: epochs completed.
        previous_seconds: seconds spent by the processes that a resumed run goes on from.
        epoch_metrics: mean of each metric over the epoch just completed.
        verbose: whether to show anything on the terminal.
        fingerprint: SHA-256 of config and images, if the run has a folder.
        stop: whether the run was asked to end early.
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
        """Time this run has taken so far, earlier processes included."""
        return self.previous_seconds + time.monotonic() - self.started

    @property
    def batch_size(self) -> int:
        """Inliers in a batch; the data set's size where that is smaller."""
        return min(self.config.train.batch_size, len(self.data.train))

    @property
    def batches_per_epoch(self) -> int:
        """Whole batches in an epoch; the images left over differ from epoch to epoch."""
        return len(self.data.train) // self.batch_size

    @property
    def exposed_per_inlier(self) -> float:
        """Exposed outliers in a batch for each inlier."""
        return self.config.exposure.ratio if self.config.exposure else 0.0

    @property
    def total_steps(self) -> int:
        """Batches in the whole run."""
        return self.batches_per_epoch * self.config.train.epochs

    @property
    def hook(self) -> Any:
        """The hooks of every plugin and of what was attached."""
        return self.config.loaded.hook

    def attach(self, observer: object) -> None:
        """Let an object's hooks be called from now on, for the rest of this run."""
        self.config.loaded.manager.register(observer)
        self._observers.append(observer)

    def detach(self) -> None:
        """Forget what was attached; the run is over."""
        for observer in self._observers:
            self.config.loaded.manager.unregister(observer)
            getattr(observer, "close", lambda: None)()
        self._observers.clear()
