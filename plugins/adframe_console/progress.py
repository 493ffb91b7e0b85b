"""Progress of a run on standard error: bars on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from torch import Tensor

from adframe import Report, Run, hookimpl

REFRESH = 0.5  # seconds between readings of the loss, each of which waits for the device


class Pace:
    """Estimate of the time left, from the mean speed since this object was created."""

    def __init__(self, done: int) -> None:
        self.done, self.started = done, time.monotonic()

    def per_second(self, done: int) -> float:
        """Units of work per second; 0.0 before the first measurement."""
        return (done - self.done) / max(time.monotonic() - self.started, 1e-9)

    def left(self, done: int, total: int) -> str:
        """Text such as ``0:01:30 left``, with dashes before the first measurement."""
        pace = self.per_second(done)
        if done >= total or pace > 0:
            seconds = round((total - done) / pace) if done < total else 0
            return f"{timedelta(seconds=seconds)} left"
        return "-:--:-- left"


def _bar(*texts: str) -> Progress:
    columns = [TextColumn(text, markup=False) for text in texts]
    return Progress(columns[0], BarColumn(12), *columns[1:], console=Console(stderr=True))


def _of(run: Run) -> str:
    """Text such as ``epoch 2/30, batch 31/64``, for the batch that has just ended."""
    epoch, batch = divmod(run.step, run.batches_per_epoch)
    epochs = run.config.train.epochs
    return f"epoch {epoch + 1}/{epochs}, batch {batch + 1}/{run.batches_per_epoch}"


class TrainingBar:
    """Progress bar of training: epoch, batch, loss, images per second, time left."""

    def __init__(self) -> None:
        self.bar = _bar(
            "{task.description}",
            "loss {task.fields[loss]}, {task.fields[rate]} images/s, {task.fields[left]}",
        )
        self.task = self.bar.add_task(
            "epoch 1", total=None, loss="...", rate="...", left="-:--:-- left"
        )
        self.pace: Pace | None = None
        self.read = 0.0
        self.bar.start()

    @hookimpl
    def adframe_update(self, run: Run, group: str, metrics: Mapping[str, Tensor]) -> None:
        """Show the batch, and its loss at intervals."""
        done, now = run.step + 1, time.monotonic()
        if self.pace is None:  # the first step also sets up the device
            self.pace = Pace(done)
        elif now - self.read < REFRESH:
            return
        self.read = now
        self.bar.update(
            self.task,
            total=run.total_steps,
            completed=done,
            description=_of(run),
            loss=f"{float(metrics['loss']):.4f}",
            rate=f"{self.pace.per_second(done) * run.batch_size:.0f}",
            left=self.pace.left(done, run.total_steps),
        )

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        """Show the mean loss of the epoch."""
        self.bar.update(self.task, completed=run.step, loss=f"{run.epoch_metrics['loss']:.4f}")

    @hookimpl
    def adframe_progress(self, run: Run, done: int, total: int) -> None:
        """Close the bar: training has ended."""
        self.close()

    def close(self) -> None:
        """Restore the terminal, also when the run was interrupted."""
        self.bar.stop()


class ScoringBar:
    """Progress bar of scoring: share of the images scored, and time left."""

    def __init__(self, total: int) -> None:
        self.bar = _bar("{task.description}", "{task.percentage:.0f} %, {task.fields[left]}")
        self.task = self.bar.add_task("scoring", total=total, left="-:--:-- left")
        self.pace = Pace(0)
        self.bar.start()

    @hookimpl
    def adframe_progress(self, run: Run, done: int, total: int) -> None:
        """Show the number of scored views."""
        self.bar.update(self.task, completed=done, left=self.pace.left(done, total))

    @hookimpl
    def adframe_run_end(self, run: Run, report: Report) -> None:
        """Close the bar: scoring has ended."""
        self.close()

    def close(self) -> None:
        """Restore the terminal."""
        self.bar.stop()


class EpochLines:
    """Prints one line per epoch, so that the log of a batch job is not empty."""

    def __init__(self) -> None:
        self.mark = time.monotonic()
        self.pace: Pace | None = None

    @hookimpl
    def adframe_update(self, run: Run, group: str) -> None:
        """Start measuring after the first step, which also sets up the device."""
        if self.pace is None:
            self.pace = Pace(run.step + 1)

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        """Print the epoch's mean loss, its seconds, and the time left for training."""
        now = time.monotonic()
        left = self.pace.left(run.step, run.total_steps) if self.pace else ""
        head, loss = f"epoch {epoch}/{run.config.train.epochs}", run.epoch_metrics["loss"]
        line = f"{head}: loss {loss:.4f}, {now - self.mark:.1f} s, {left}"
        print(line, file=sys.stderr, flush=True)
        self.mark = now
