"""What all loggers have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from adframe import Report, Run, hookimpl
from adframe.interfaces import Observer


class Logger(Observer):
    """Logs the metrics of each epoch, and the AUROC of each scorer at the end."""

    opened = False

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        self._log(run, run.epoch_metrics)

    @hookimpl
    def adframe_run_end(self, run: Run, report: Report) -> None:
        values = {
            f"auroc/{scorer}/{title}": value
            for scorer, outcome in report.outcomes.items()
            for title, value in outcome.auroc.items()
        }
        self._log(run, values)

    def _log(self, run: Run, values: Mapping[str, float]) -> None:
        if run.out is None:
            return
        if not self.opened:
            self.open(run)
            self.opened = True
        self.write(values, run.epoch)

    @abstractmethod
    def open(self, run: Run) -> None:
        """Start the log of a run that has a folder."""

    @abstractmethod
    def write(self, values: Mapping[str, float], epoch: int) -> None:
        """Log values after an epoch."""
