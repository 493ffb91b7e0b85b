"""Checkpoints during training, at intervals and on a signal: only if all is finite."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from adframe.config.durations import seconds_of
from adframe.engine import checkpoint
from adframe.engine.monitor import (
    INTERVAL,
    MetricAccumulator,
    NonFiniteError,
    check_finite,
    collapse_note,
)
from adframe.engine.state import Run
from adframe.errors import ProcessLost, Stopped, TrainingError

logger = logging.getLogger("adframe")


class CheckpointManager:
    """Restores the last checkpoint of a run and writes the next ones; see ``checkpointing``."""

    def __init__(self, run: Run, optimizers: checkpoint.Optimizers) -> None:
        self.run, self.optimizers = run, optimizers
        every = run.config.train.checkpoint_every
        self.epochs = every if isinstance(every, int) else 0
        self.seconds = seconds_of(every)
        facts = checkpoint.load_state(run, optimizers)
        self.metrics = MetricAccumulator(facts.get("sums", {}))
        self.saved: int | None = facts.get("step")
        self._collapsed = False
        self._last = time.monotonic()

    def on_step_end(self) -> None:
        """Check metrics; save or stop if it is time. Called after each batch."""
        if self.run.step % INTERVAL == 0:
            self.metrics.flush()
        asked = self.run.stop.asked
        if asked or (self.seconds and time.monotonic() - self._last >= self.seconds):
            self.save()
        if asked:
            raise Stopped(asked, f"interrupted {self._at()}")

    def end_early(self, lost: ProcessLost) -> NoReturn:
        """Save between two steps, because no batch follows."""
        self.save()
        if self.run.stop.asked:
            raise Stopped(self.run.stop.asked, f"interrupted {self._at()}") from lost
        raise ProcessLost(f"{lost}; the run stopped {self._at()}") from lost

    def _at(self) -> str:
        return f"after step {self.run.step} of {self.run.total_steps}, and saved"

    def end_epoch(self) -> None:
        """Complete an epoch: call the hooks, check the features, save if it is time.

        If a hook raises an exception, the state before it is saved: a resumed run calls it again.
        """
        run = self.run
        self.metrics.flush()
        sums = dict(self.metrics.sums)
        run.epoch_metrics = self.metrics.means(run.batches_per_epoch)
        run.epoch += 1
        run.lock.check()  # hooks write into the folder
        try:
            run.hook.adframe_epoch_end(run=run, epoch=run.epoch)
        except KeyboardInterrupt:
            raise
        except BaseException:
            run.epoch, self.metrics.sums = run.epoch - 1, sums
            self.save()
            raise
        note = collapse_note(self._check(), run.epoch)
        if note is not None and not self._collapsed:
            logger.warning(note)
        self._collapsed = note is not None
        last = run.epoch == run.config.train.epochs
        if last or (self.epochs and run.epoch % self.epochs == 0):
            self._write()

    def save(self) -> None:
        """Check that metrics, weights and features are finite; then write a checkpoint."""
        self.metrics.flush()
        self._check()
        self._write()

    def _check(self) -> float:
        return check_finite(self.run.assembly.method, self.run.data.train.pixels, self.run.step)

    def _write(self) -> None:
        checkpoint.save_state(self.run, self.metrics.sums, self.optimizers)
        self.saved, self._last = self.run.step, time.monotonic()


@contextmanager
def checkpointing(manager: CheckpointManager) -> Iterator[None]:
    """Context manager around training: a signal stops it after a step; errors give the checkpoint.

    Raises:
        TrainingError: a loss, a weight or a feature is not finite.
        ProcessLost: a process that decodes images has ended; raised after a checkpoint.
        Stopped: a signal stopped the run, after a checkpoint.
    """
    run = manager.run
    try:
        with run.stop.patient():
            try:
                yield
            except ProcessLost as lost:
                manager.end_early(lost)
    except NonFiniteError as fault:
        epoch = (fault.step - 1) // run.batches_per_epoch + 1
        kept = f"; the checkpoint of step {manager.saved} stays" if manager.saved else ""
        raise TrainingError(
            f"epoch {epoch}, step {fault.step}: {fault}{kept}; "
            "try a smaller learning rate, train.clip: 1.0 or train.precision: fp32"
        ) from fault
