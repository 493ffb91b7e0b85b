"""How long a run takes on this machine, from a few of its training steps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from adframe.config.model import RunConfig
from adframe.engine.counting import count_views
from adframe.engine.features import extract_features
from adframe.engine.runner import prepare
from adframe.engine.scoring import by_view_spec
from adframe.engine.state import Run
from adframe.engine.train import train
from adframe.registry.hookspecs import hookimpl

STEPS = 6  # training steps that are timed after the first, which also sets up the device
SECONDS = 10.0  # after which no further step is timed
SAMPLE = 16  # images whose scoring is timed
MOST, LEAST = 60, 5  # epochs that a first config may have


@dataclass(frozen=True)
class Cost:
    """Seconds of a run: ``fixed`` for reading, scoring and the rest, and those of an epoch."""

    fixed: float
    epoch: float

    def total(self, epochs: int) -> float:
        """Seconds of a whole run."""
        return self.fixed + epochs * self.epoch

    def epochs(self, seconds: float) -> int:
        """Number of epochs that fit in a time; within the bounds of a first config."""
        fitting = int((seconds - self.fixed) / max(self.epoch, 1e-6))
        step = 10 if fitting >= 20 else 5
        return max(LEAST, min(MOST, fitting // step * step))


class _Enough(Exception):  # noqa: N818
    """Ends the training of a measurement."""


class _Clock:
    """Notes when each step ended; ends the training after a few."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @hookimpl
    def adframe_update(self, run: Run) -> None:
        """Note the time; the last update of a step counts."""
        now = time.monotonic()
        del self.times[run.step :]
        self.times.append(now)
        if len(self.times) > STEPS or (len(self.times) > 1 and now - self.times[0] > SECONDS):
            raise _Enough

    def seconds(self) -> float:
        """Of a step."""
        return median(later - earlier for earlier, later in pairwise(self.times))


def measure(config: RunConfig) -> Cost:
    """Time a few steps of a run, and the scoring of a few images; nothing is written.

    Raises:
        UserError: as for a run of this config.
    """
    start = time.monotonic()
    run = prepare(config, None)
    reading = time.monotonic() - start
    if not run.total_steps:
        views, scoring = _scoring(run)
        return Cost(reading + scoring / max(views, 1) * count_views(run), 0.0)
    clock = _Clock()
    start = time.monotonic()
    run.attach(clock)
    try:
        train(run)
    except _Enough:
        pass
    finally:
        run.detach()
    if len(clock.times) < 2:  # there is one step only
        clock.times.insert(0, start)
    views, scoring = _scoring(run)
    fixed = reading + scoring / max(views, 1) * count_views(run)
    return Cost(fixed, clock.seconds() * run.batches_per_epoch)


def _scoring(run: Run) -> tuple[int, float]:
    """Image views of a few images, and the seconds of the second time that they are scored."""
    assembly, pixels = run.assembly, run.data.train.pixels[:SAMPLE]
    for _ in range(2):
        views, start = 0, time.monotonic()
        for spec in by_view_spec(assembly.scorers):
            of = extract_features(assembly.method, assembly.shifts, pixels, spec, run.config.seed)
            views += sum(next(iter(block.values())).shape[:3].numel() for block in of)
    return views, time.monotonic() - start


def in_words(seconds: float) -> str:
    """A duration in words: ``about 12 minutes``."""
    if seconds < 90:
        return f"about {max(10, round(seconds / 10) * 10)} seconds"
    minutes = seconds / 60
    if minutes < 90:
        return f"about {round(minutes)} minutes"
    return f"about {minutes / 60:.1f} hours"
