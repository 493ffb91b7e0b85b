"""The state of a run: what hooks may read of it, and what the engine alone uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from adframe import interfaces
from adframe.config.model import RunConfig
from adframe.engine.build import Assembly
from adframe.engine.interrupt import Stop
from adframe.io.locks import FolderLock


@dataclass
class Run(interfaces.Run):
    """A run.

    Attributes:
        fingerprint: SHA-256 of the config and of the digests of the training images.
        extends: fingerprint of the config with fewer epochs, if this run trains on from there.
        started_from: SHA-256 of the weights that the network started with; empty if drawn.
        stop: handles the signals that stop the run.
        lock: the lock on the run folder.
    """

    config: RunConfig
    assembly: Assembly
    fingerprint: dict[str, str] = field(default_factory=dict)
    extends: str | None = None
    started_from: str = ""
    stop: Stop = field(default_factory=Stop)
    lock: FolderLock = field(default_factory=FolderLock)

    def add_seconds(self, earlier: float) -> None:
        """Count the seconds of the earlier processes of a resumed run."""
        self._started -= earlier

    @property
    def hook(self) -> Any:
        """Calls the hooks of every plugin and of attached objects."""
        return self.config.loaded.hook

    def detach(self) -> None:
        """Detach all observers at the end of the run."""
        for observer in self._observers:
            self.config.loaded.manager.unregister(observer)
            getattr(observer, "close", lambda: None)()
        self._observers.clear()
