"""Jobs: plain data, which any process can work on. A run is one."""

from __future__ import annotations

import os
import sys
import traceback
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from adframe.config.model import RunConfig
from adframe.engine.run_list import is_complete
from adframe.engine.runner import run_locked
from adframe.errors import Stopped, TrainingError, UserError
from adframe.io.atomic import read_json
from adframe.io.locks import FolderInUse, lock_folder
from adframe.registry.blame import blame, show_traceback

Status = Literal["done", "failed", "held", "stopped", "lost"]


@dataclass(frozen=True)
class Job(ABC):
    """Work for one process, as plain data that can be pickled.

    It may be lost with its process and worked on again, so it must continue, or write the same.

    Attributes:
        within: the working directory, which relative paths start from.
    """

    within: str = field(default_factory=os.getcwd, kw_only=True)

    @property
    def gpus(self) -> int:
        """Number of GPUs that it needs, besides one core."""
        return 0

    @abstractmethod
    def work(self) -> str:
        """Do the work in this process; returns why it failed, or an empty text."""


@dataclass(frozen=True)
class RunJob(Job):
    """A run to do. A config is pickled as its text, the plugin files and their names.

    Attributes:
        config: the config.
        out: the run folder; a run that was started there continues.
    """

    config: RunConfig
    out: Path

    @property
    def gpus(self) -> int:
        """One if ``train.device`` is ``cuda``."""
        return int(self.config.train.device.startswith("cuda"))

    def work(self) -> str:
        """Train and evaluate; returns the scorers that failed and why, in one line."""
        with lock_folder(self.out) as lock:
            if is_done(self.out):  # another process has just ended
                return ""
            failed = run_locked(self.config, lock, resume=True).failed
        return "; ".join(f"{name}: {why}" for name, why in failed.items())


@dataclass(frozen=True)
class Ended:
    """How a job ended.

    Attributes:
        status: ``done``; ``failed``, which is the same again; ``held`` by another process;
            ``stopped`` by a signal; or ``lost`` with its process.
        reason: one line; empty for ``done`` and ``held``.
        number: the signal that stopped it, or 0.
    """

    status: Status
    reason: str = ""
    number: int = 0


def run_job(job: Job) -> Ended:
    """Run a job in this process; an exception becomes a line of what is returned.

    A failure of one job must not end a table, so every ``Exception`` is caught.
    """
    if os.getcwd() != job.within:
        os.chdir(job.within)
    try:
        reason = job.work()
    except FolderInUse:
        return Ended("held")
    except Stopped as stopped:
        return Ended("stopped", _line(stopped), stopped.status - 128)
    except (UserError, TrainingError) as error:
        reason = _line(error)
    except Exception as error:
        fault = blame(error)
        reason = _line(fault) if fault else f"{type(error).__name__}: {_line(error)}"
        if fault:
            show_traceback(fault)
        else:
            traceback.print_exc(file=sys.stderr)
    return Ended("failed" if reason else "done", reason)


def is_done(folder: Path) -> bool:
    """Whether a run folder holds a complete result; a damaged one counts as none."""
    try:
        found = read_json(folder / "result.json")
    except UserError:
        return False
    return isinstance(found, dict) and is_complete(found)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
