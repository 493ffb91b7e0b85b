"""Runs the trials of a search by an executor."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from adframe.config.model import RunConfig
from adframe.engine.checkpoint import seconds, validation
from adframe.errors import Stopped, UserError
from adframe.io import atomic
from adframe.jobs.executors import Executor
from adframe.jobs.job import Ended, Job, RunJob
from adframe.tune.space import yaml_of
from adframe.tune.study import Study, Trial

BEST = "best.yaml"  #: in the folder of a search
PAUSE = 1.0  # seconds until trials that other processes still run are tried again
Make = Callable[[dict[str, object]], RunConfig]  #: the config of what a trial has drawn


@dataclass(frozen=True)
class Refused(Job):
    """A trial whose values make no config: nothing can be run."""

    reason: str

    def work(self) -> str:
        """Nothing; the reason."""
        return self.reason


class Trials(Sequence[Job]):
    """Jobs of the trials that are left. A new trial is drawn when its job is fetched."""

    def __init__(self, study: Study, make: Make, count: int) -> None:
        self.study, self.make = study, make
        self.numbers = [trial.number for trial in study.trials if trial.status == "running"]
        self.numbers += range(len(study.trials), count)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Job: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Job]: ...
    def __getitem__(self, index: int | slice) -> Job | Sequence[Job]:
        if isinstance(index, slice):
            raise TypeError("trials are drawn one by one")
        number = self.numbers[index]
        while len(self.study.trials) <= number:
            self.study.draw()
        try:
            config = self.make(self.study.trials[number].drawn)
        except UserError as error:
            return Refused("; ".join(str(error).splitlines()))
        return RunJob(config, folder_of(self.study, number))


def folder_of(study: Study, number: int) -> Path:
    """The run folder of a trial."""
    return study.folder / f"trial-{number:04d}"


def search(
    study: Study, make: Make, count: int, executor: Executor, report: Callable[[str], None]
) -> None:
    """Run trials until the study has ``count``; one that fails is remembered, and others follow.

    The best config is written whenever there is a better one. A trial that was started continues
    from its checkpoint.

    Args:
        study: the trials so far.
        make: makes the config of a trial.
        count: number of trials, those that failed included.
        executor: runs them.
        report: gets a line for each trial that starts or ends.

    Raises:
        Stopped: a signal stopped a trial.
    """
    waiting = False
    while len(jobs := Trials(study, make, count)):
        if waiting:
            time.sleep(PAUSE)
        waiting = True
        with closing(executor.run(jobs)) as ends:
            for index, ended in ends:
                number = jobs.numbers[index]
                head = f"[{number + 1}/{count}] {folder_of(study, number).name}"
                if ended is None:
                    report(f"{head}: {values_of(study.trials[number])} ...")
                elif ended.status == "stopped":
                    raise Stopped(ended.number, ended.reason)
                elif ended.status != "held":  # else by a process of a command that was killed
                    report(f"{head}: {_end(study, number, ended, make)}")


def values_of(trial: Trial) -> str:
    """``KEY=VALUE`` of each key of a trial."""
    return ", ".join(f"{key}={text(value)}" for key, value in trial.drawn.items())


def text(value: object) -> str:
    """What was drawn, for a line or a table: a choice is text already."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else yaml_of(value)


def _end(study: Study, number: int, ended: Ended, make: Make) -> str:
    """Remember how a trial ended; returns that as words."""
    folder, metric = folder_of(study, number), study.facts["metric"]
    result = folder / "result.json"
    if ended.status == "done":
        value = validation(result).get(metric)
        reason = "" if value is not None else f"gave no {metric}"
    else:
        value, reason = None, ended.reason
    study.end(number, value, seconds(result) if value is not None else None, reason)
    if value is None:
        return f"failed: {reason}"
    best = study.best is not None and study.best.number == number
    if best:
        write_best(study, make)
    return f"{metric} {value:.4f}{', the best so far' if best else ''}"


def write_best(study: Study, make: Make) -> None:
    """Write the config of the best trial, as ``adframe run`` takes it."""
    best = study.best
    if best is not None:
        head = f"# {study.facts['metric']} {best.value:.4f}, of trial {best.number} of a search\n"
        atomic.write(study.folder / BEST, head + make(best.drawn).yaml())


def digest(config: RunConfig) -> str:
    """SHA-256 of the text of a config."""
    return hashlib.sha256(config.yaml().encode()).hexdigest()


def rows_of(study: Study) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a table of all trials."""
    keys = [axis.key for axis in study.axes]
    head = ["trial", study.facts["metric"], *keys, "seconds"]
    rows = []
    for trial in study.trials:
        best = " *" if study.best is trial else ""
        value = trial.status if trial.value is None else f"{trial.value:.4f}{best}"
        took = "" if trial.seconds is None else f"{trial.seconds:.0f}"
        rows.append([str(trial.number), value, *(text(trial.drawn[key]) for key in keys), took])
    return head, rows
