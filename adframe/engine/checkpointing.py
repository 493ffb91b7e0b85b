"""Checkpoints during training, at intervals and on a signal: only if all is finite."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping
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
from adframe.engine.together import check_agreement
from adframe.errors import ProcessLost, RankLost, Stopped, TrainingError

logger = logging.getLogger("adframe")


class CheckpointManager:
    """Writes the checkpoints of a run; see ``checkpointing``.

    Args:
        run: the run.
        optimizers: its optimizers.
        state: the last checkpoint, if the run continues from one.
    """

    def __init__(
        self, run: Run, optimizers: checkpoint.Optimizers, state: checkpoint.State | None
    ) -> None:
        self.run, self.optimizers = run, optimizers
        every = run.config.train.checkpoint_every
        self.epochs = every if isinstance(every, int) else 0
        self.seconds = seconds_of(every)
        if state is not None:
            checkpoint.restore_optimizers(state, optimizers)
        self.metrics = MetricAccumulator({} if state is None else state.sums)
        self.saved: int | None = None if state is None else run.step
        self._collapsed = False
        self._last = time.monotonic()

    def on_step_end(self) -> None:
        """Check metrics; save or stop if it is time. Called after each batch."""
        if self.run.step % INTERVAL == 0:
            self.metrics.flush()
        due = int(self.seconds > 0 and time.monotonic() - self._last >= self.seconds)
        asked, due = self.run.world.highest(self.run.stop.asked, due)
        if asked or due:
            self.save()
        if asked:
            raise Stopped(asked, f"interrupted {self._at()}")

    def end_early(self, lost: ProcessLost) -> NoReturn:
        """Save between two steps, because no batch follows."""
        if self.run.world.size > 1:  # the others are in the middle of something
            raise lost
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
        sums, finished = dict(self.metrics.sums), run.finished
        run.epoch_metrics = self.metrics.means(run.batches_per_epoch)
        run.epoch += 1
        run.lock.check()  # hooks write into the folder
        try:
            if self._validates():
                run.epoch_metrics |= run.validate()
            _append(run.history, run.epoch_metrics, run.epoch)
            run.hook.adframe_epoch_end(run=run, epoch=run.epoch)
            run.finished = run.world.broadcast(run.finished)
        except RankLost:
            raise
        except KeyboardInterrupt:
            raise
        except BaseException:
            run.epoch, run.finished, self.metrics.sums = run.epoch - 1, finished, sums
            _append(run.history, {}, run.epoch)
            self.save(alone=True)
            raise
        note = collapse_note(self._check(), run.epoch)
        if note is not None and not self._collapsed:
            logger.warning(note)
        self._collapsed = note is not None
        last = run.epoch == run.config.train.epochs or run.finished
        if last or (self.epochs and run.epoch % self.epochs == 0):
            self._write()

    def _validates(self) -> bool:
        """Whether the validation images are scored after this epoch."""
        run, validation = self.run, self.run.config.validation
        if validation is None:
            return False
        return run.epoch == run.config.train.epochs or run.epoch % validation.every == 0

    def save(self, alone: bool = False) -> None:
        """Check that metrics, weights and features are finite; then write a checkpoint.

        The other processes of a run do the same and wait until it is written, unless ``alone``.
        """
        self.metrics.flush()
        self._check()
        self._write(alone)

    def _check(self) -> float:
        return check_finite(self.run.assembly.method, self.run.data.train.pixels, self.run.step)

    def _write(self, alone: bool = False) -> None:
        if not alone:
            check_agreement(self.run.assembly.method, self.run.world)
        checkpoint.save_state(self.run, self.metrics.sums, self.optimizers)
        if not alone:
            self.run.world.broadcast()
        self.saved, self._last = self.run.step, time.monotonic()


def _append(history: dict[str, list[float]], metrics: Mapping[str, float], epoch: int) -> None:
    """Make a history end with the metrics of an epoch; what one of the two lacks is NaN."""
    for name in {**history, **metrics}:
        values = history.setdefault(name, [])[:epoch]
        history[name] = values + [math.nan] * (epoch - len(values))
    for name, value in metrics.items():
        history[name][epoch - 1] = value


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
