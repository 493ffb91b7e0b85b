"""The state of a run: what hooks may read of it, and what the engine alone uses."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from torch import Tensor

from adframe import interfaces
from adframe.config.model import RunConfig
from adframe.data.region import Region
from adframe.engine.build import Assembly
from adframe.engine.interrupt import Stop
from adframe.engine.judge import Judge
from adframe.interfaces import Images
from adframe.io.locks import FolderLock
from adframe.parallel.world import ALONE, World
from adframe.registry.every_rank import OnEveryRank

logger = logging.getLogger("adframe")


@dataclass
class Run(interfaces.Run):
    """A run.

    Attributes:
        fingerprint: SHA-256 of the config and of the digests of the training images.
        extends: fingerprint of the config with fewer epochs, if this run trains on from there.
        started_from: SHA-256 of the weights that the network started with; empty if drawn.
        validation: the validation images: ``inliers``, and each set of anomalies; empty without.
        stop: handles the signals that stop the run.
        lock: the lock on the run folder.
        region: the part of each image that is seen; None for all.
        world: the processes that train together. Only the first writes and calls hooks.
    """

    config: RunConfig
    assembly: Assembly
    fingerprint: dict[str, str] = field(default_factory=dict)
    extends: str | None = None
    started_from: str = ""
    validation: dict[str, Images] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)
    lock: FolderLock = field(default_factory=FolderLock)
    region: Region | None = None
    world: World = ALONE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._judge: tuple[int, Judge] | None = None  # and the step that it was made at

    def add_seconds(self, earlier: float) -> None:
        """Count the seconds of the earlier processes of a resumed run."""
        self._started -= earlier

    @property
    def hook(self) -> Any:
        """Calls the hooks of every plugin and of attached objects.

        Where several processes train, all but the first call those marked ``every_rank`` only.
        """
        hook = self.config.loaded.hook
        return hook if self.world.main else OnEveryRank(hook)

    def score(self, images: Images) -> dict[str, Tensor]:
        """Scores of images with the network as it is now; see ``adframe.interfaces.Run``."""
        step, judge = self._judge or (-1, None)
        if judge is None or step != self.step:
            judge = Judge(self.config, self.assembly, self.data.train, self.exposed)
            self._judge = self.step, judge
        return judge.scores(images)

    def validate(self) -> dict[str, float]:
        """Figures on the validation images with the network as it is now.

        A scorer that fails is named in the log, and has none.
        """
        failures = dict[int, str]()
        parts = self.config, self.assembly, self.data.train, self.exposed
        judge = Judge(*parts, failures, self.world)
        figures = judge.figures(self.validation)
        for text in failures.values():
            logger.warning("epoch %d: no score of the validation images: %s", self.epoch, text)
        return figures

    def final_figures(self) -> dict[str, float]:
        """Figures on the validation images at the end: those of the log, if it has them."""
        if not self.validation:
            return {}
        last = {name: values[-1] for name, values in self.history.items() if values}
        judged = {
            name: value
            for name, value in last.items()
            if name.startswith("validation_") and isfinite(value)
        }
        return judged or self.validate()

    @contextmanager
    def observed(self, by_config: bool = True) -> Iterator[None]:
        """Context manager in which the observers of the config watch the run, if ``by_config``.

        After it, all that were attached are closed with the error that ended it.
        """
        error: BaseException | None = None
        try:
            for observer in self.assembly.observers if by_config else ():
                self.attach(observer)
            yield
        except BaseException as caught:
            error = caught
            raise
        finally:
            self.detach(error)

    def detach(self, error: BaseException | None = None) -> None:
        """Detach and close all observers; the first error is raised after all are closed."""
        first = error
        for observer in self._observers:
            self.config.loaded.detach(observer)
            try:
                _close(observer, error)
            except BaseException as failed:
                first = first or failed
        self._observers.clear()
        if first is not None and error is None:
            raise first


def _close(observer: object, error: BaseException | None) -> None:
    """Call ``close`` of an observer, if it has one, with the error if it takes it."""
    close = getattr(observer, "close", None)
    if close is not None:
        close(*[error][: len(inspect.signature(close).parameters)])
