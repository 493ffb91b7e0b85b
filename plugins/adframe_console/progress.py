"""The progress bar of a run on a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from adframe import Report, Run, hookimpl

REFRESH = 0.5  # seconds between readings of the loss, each of which waits for the device


class ProgressBar:
    """Epoch, loss, images per second and time left, on standard error."""

    def __init__(self, run: Run) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[rate]} images/s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self.task = self.progress.add_task("epoch 1", total=run.total_steps, loss="...", rate="...")
        self.read = self.mark = time.monotonic()
        self.seen: int | None = None
        self.progress.start()

    @hookimpl
    def adframe_update(self, run: Run, group: str, metrics: Mapping[str, Tensor]) -> None:
        now = time.monotonic()
        if self.seen is None:  # a resumed run does not begin at step 0
            self.seen = run.step
        if now - self.read < REFRESH:
            return
        self.read = now
        done = (run.step - self.seen) * run.batch_size
        self.progress.update(
            self.task,
            completed=run.step,
            description=f"epoch {run.epoch + 1}",
            loss=f"{float(metrics['loss']):.4f}",
            rate=f"{done / max(now - self.mark, 1e-9):.0f}",
        )

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        self.progress.update(self.task, completed=run.step, loss=f"{run.epoch_metrics['loss']:.4f}")
        if epoch == run.config.train.epochs:
            self.progress.update(self.task, description="scoring")

    @hookimpl
    def adframe_run_end(self, run: Run, report: Report) -> None:
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was, also when the run was interrupted."""
        self.progress.stop()
