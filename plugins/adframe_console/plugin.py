"""What adframe_console brings: no components, but eyes on a run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from adframe import hookimpl

if TYPE_CHECKING:
    from adframe import Report, Run


@hookimpl
def adframe_run_start(run: Run) -> None:
    from .metrics import MetricLog
    from .progress import ProgressBar

    if run.out is not None:
        run.attach(MetricLog(run))
    if run.verbose and sys.stderr.isatty():
        run.attach(ProgressBar(run))


@hookimpl
def adframe_run_end(run: Run, report: Report) -> None:
    from .table import show

    if run.verbose:
        show(report)
