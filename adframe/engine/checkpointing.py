"""What keeps a run in training safe: checkpoints, stopping in good order, faults found in time."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from adframe.config.durations import seconds_of
from adframe.engine import checkpoint
from adframe.engine.interrupt import Stopped
from adframe.engine.monitor import INTERVAL, Fault, Watch, check_weights, collapse
from adframe.engine.state import Run
from adframe.errors import TrainingError


class Keeper:
    """Takes up a run's last checkpoint and writes the next ones; ``keeping`` makes it."""

    def __init__(self, run: Run, optimizers: checkpoint.Optimizers) -> None:
        self.run, self.optimizers = run, optimizers
        every = run.config.train.checkpoint_every
        self.epochs = every if isinstance(every, int) else 0
        self.seconds = seconds_of(every)
        facts = checkpoint.load_state(run, optimizers)
        self.watch = Watch(facts.get("sums", {}))
        self.saved: int | None = facts.get("step")
        self._collapsed = False
        self._last = time.monotonic()

    def step_done(self) -> None:
        """Called after each batch: look at the metrics, save, or stop, if it is time to."""
        if self.run.step % INTERVAL == 0:
            self.watch.settle()
        asked = self.run.stop.asked
        if asked or (self.seconds and time.monotonic() - self._last >= self.seconds):
            self.save()
        if asked:
            at = f"step {self.run.step} of {self.run.total}"
            raise Stopped(asked, f"interrupted after {at}, and saved")

    def epoch_done(self) -> None:
        """Called after each epoch: look at the representation, and save if it is time to."""
        run = self.run
        note = collapse(run.assembly.method, run.data.train.pixels, run.epoch)
        if note is not None and not self._collapsed:
            warnings.warn(note, stacklevel=2)
        self._collapsed = note is not None
        last = run.epoch == run.config.train.epochs
        if last or (self.epochs and run.epoch % self.epochs == 0):
            self.save()

    def save(self) -> None:
        """Write a checkpoint of sound numbers; without a folder, only see that they are sound."""
        self.watch.settle()
        check_weights(self.run.assembly.method, self.run.step)
        checkpoint.save_state(self.run, self.watch.sums, self.optimizers)
        self.saved, self._last = self.run.step, time.monotonic()


@contextmanager
def keeping(run: Run, optimizers: checkpoint.Optimizers) -> Iterator[Keeper]:
    """Train in this context: a signal is heeded after a step, a fault says what it leaves."""
    keeper = Keeper(run, optimizers)
    try:
        with run.stop.patient():
            yield keeper
    except Fault as fault:
        epoch = (fault.step - 1) // run.batches_per_epoch + 1
        kept = f"; the checkpoint of step {keeper.saved} stays" if keeper.saved else ""
        raise TrainingError(
            f"epoch {epoch}, step {fault.step}: {fault}{kept}; "
            "try a smaller learning rate, train.clip: 1.0 or train.precision: fp32"
        ) from fault
