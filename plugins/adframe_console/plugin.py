"""Registers the hooks that show and log a run. There are no components."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from adframe import hookimpl

if TYPE_CHECKING:
    from adframe import Report, Run


@hookimpl
def adframe_run_start(run: Run) -> None:
    from .metrics import MetricLog
    from .progress import EpochLines, TrainingBar

    if run.out is not None:
        run.attach(MetricLog(run))
    if run.verbose:
        run.attach(TrainingBar() if sys.stderr.isatty() else EpochLines())


@hookimpl
def adframe_progress(run: Run, done: int, total: int) -> None:
    if done or not run.verbose:
        return
    if sys.stderr.isatty():
        from .progress import ScoringBar

        run.attach(ScoringBar(total))
    else:
        print(f"scoring {total} image views", file=sys.stderr, flush=True)


@hookimpl
def adframe_run_end(run: Run, report: Report) -> None:
    from .table import show

    if run.verbose:
        show(report)
