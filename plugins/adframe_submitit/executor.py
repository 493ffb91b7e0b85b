"""Jobs on SLURM, or on what else submitit submits to."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

from adframe import UserError
from adframe.jobs import Ended, Executor, Job, run_job

TRIES = 3  # of a job whose process or machine was lost
PAUSE = 1.0  # seconds from one look for jobs that have ended to the next
DEFAULTS = {"folder": "submitit", "at_once": 100, "cpus_per_task": 1}


class SubmititExecutor(Executor):
    """Jobs submitted by submitit, each with the GPUs that it needs.

    Run folders must lie on a file system that every machine has at the same path, and the packages
    must be installed there.

    Args:
        text: ``CLUSTER,KEY=VALUE,...``. The cluster is ``slurm``, ``local`` (processes here) or one
            that a package adds; found out if empty. Keys are parameters of submitit, such as
            ``timeout_min=600`` or ``slurm_partition=gpu``; ``folder`` for logs (``submitit``); and
            ``at_once``, the number of jobs that are submitted at a time (100).

    Raises:
        UserError: submitit is not installed, or it does not know the cluster or a parameter.
    """

    def __init__(self, text: str = "") -> None:
        try:
            import submitit
        except ImportError as error:
            raise UserError(
                "needs the extra 'submitit': pip install 'adframe[submitit]'"
            ) from error
        cluster, *items = text.split(",")
        self.parameters: dict[str, Any] = dict(DEFAULTS)
        for item in items:
            key, equals, value = item.partition("=")
            if not equals or not key:
                raise UserError(f"write CLUSTER,KEY=VALUE,..., not '{item}'")
            self.parameters[key] = int(value) if value.isdecimal() else value
        folder, self.at_once = self.parameters.pop("folder"), self.parameters.pop("at_once")
        if not isinstance(self.at_once, int) or self.at_once < 1:
            raise UserError(f"at_once: give a number of jobs, not '{self.at_once}'")
        self._make: Callable[[], Any] = partial(
            submitit.AutoExecutor, folder=str(folder), cluster=cluster or None
        )
        self._lost = submitit.core.utils.UncompletedJobError
        self._of_gpus: dict[int, Any] = {}
        self._executor(0)  # what is wrong is known now

    def run(self, jobs: Sequence[Job]) -> Generator[tuple[int, Ended | None]]:
        """See ``Executor.run``. A lost job is submitted again."""
        running: dict[int, tuple[Any, Job, int]] = {}
        left = iter(range(len(jobs)))
        try:
            while True:
                for index in islice(left, self.at_once - len(running)):
                    job = jobs[index]
                    running[index] = self._executor(job.gpus).submit(run_job, job), job, 1
                    yield index, None
                if not running:
                    return
                ready = [index for index, (one, _, _) in running.items() if one.done()]
                for index in ready:
                    submitted, job, tries = running.pop(index)
                    ended = self._ended(submitted)
                    if ended.status in ("lost", "stopped") and tries < TRIES:
                        again = self._executor(job.gpus).submit(run_job, job)
                        running[index] = again, job, tries + 1
                    else:
                        yield index, ended
                if not ready:
                    time.sleep(PAUSE)
        finally:
            for submitted, _, _ in running.values():
                with suppress(Exception):  # it has ended by now
                    submitted.cancel()

    def _executor(self, gpus: int) -> Any:
        """What submits jobs that need this number of GPUs."""
        if gpus not in self._of_gpus:
            needs = {"gpus_per_node": gpus} if gpus else {}
            try:
                self._of_gpus[gpus] = self._make()
                self._of_gpus[gpus].update_parameters(name="adframe", **self.parameters, **needs)
            except (ValueError, NameError, RuntimeError, AssertionError, OSError) as error:
                raise UserError("; ".join(str(error).splitlines())) from error
        return self._of_gpus[gpus]

    def _ended(self, submitted: Any) -> Ended:
        try:
            ended: Ended = submitted.result()
        except self._lost as error:
            reason = next(iter(str(error).splitlines()), "")
            return Ended("lost", f"its process was lost {TRIES} times: {reason}")
        return ended
