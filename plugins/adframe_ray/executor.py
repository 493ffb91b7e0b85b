"""Jobs on Ray: on this machine, or on a cluster."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Sequence
from itertools import islice
from logging import ERROR
from pathlib import Path
from typing import Any

from adframe import UserError
from adframe.jobs import Ended, Executor, Job, run_job

TRIES = 3  # of a job whose process or machine was lost
ANSWER = 5.0  # seconds that a cluster has to accept a connection; Ray itself waits for minutes


class RayExecutor(Executor):
    """Jobs as Ray tasks of one core, and of the GPUs that a job needs.

    Run folders must lie on a file system that every machine of the cluster has at the same path,
    and the packages must be installed there. Files of one-file plugins are read at their paths.

    Args:
        text: address of a cluster, such as ``auto`` or ``ray://host:10001``; Ray is started on this
            machine without it.

    Raises:
        UserError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, text: str = "") -> None:
        try:
            import ray
        except ImportError as error:
            raise UserError("needs the extra 'ray': pip install 'adframe[ray]'") from error
        self.ray, self.address = ray, text or "local"

    def run(self, jobs: Sequence[Job]) -> Generator[tuple[int, Ended | None]]:
        """See ``Executor.run``. Ray tries a task again whose process was lost."""
        started = not self.ray.is_initialized()
        if started:
            self._start()
        try:
            yield from self._tasks(jobs)
        finally:
            if started:
                self.ray.shutdown()

    def _start(self) -> None:
        """Start Ray here, or connect to the cluster.

        Raises:
            UserError: there is no cluster at the address, or Ray does not start.
        """
        options: dict[str, Any] = {}
        if self.address == "local":
            options["include_dashboard"] = False
            os.environ.setdefault("RAY_worker_niceness", "0")  # else a busy machine starves jobs
        found = _known() if self.address == "auto" else self.address
        if not _answers(found):
            where = self.address if found == self.address else f"{found}, which auto stands for"
            raise UserError(f"no Ray cluster at {where}")
        try:
            self.ray.init(self.address, log_to_driver=False, logging_level=ERROR, **options)
        except ConnectionError as error:
            raise UserError(f"no Ray cluster at {self.address}") from error
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"Ray does not start: {reason}") from error

    def _tasks(self, jobs: Sequence[Job]) -> Generator[tuple[int, Ended | None]]:
        task = self.ray.remote(max_retries=TRIES - 1)(run_job)
        running: dict[Any, int] = {}
        left = iter(range(len(jobs)))
        try:
            while True:
                for index in islice(left, self._most() - len(running)):
                    job = jobs[index]
                    running[task.options(num_cpus=1, num_gpus=job.gpus).remote(job)] = index
                    yield index, None
                if not running:
                    return
                (done,), _ = self.ray.wait(list(running), num_returns=1)
                yield running.pop(done), self._ended(done)
        finally:
            for one in running:
                self.ray.cancel(one)

    def _most(self) -> int:
        """Tasks that Ray has at once: twice its cores, so that a cluster that can grow grows."""
        ray: Any = self.ray  # untyped
        resources: dict[str, float] = ray.cluster_resources()
        return max(2, 2 * int(resources.get("CPU", 1)))

    def _ended(self, done: Any) -> Ended:
        try:
            ended: Ended = self.ray.get(done)
        except self.ray.exceptions.RayError as error:
            return Ended("lost", f"its process was lost {TRIES} times: {type(error).__name__}")
        return Ended("failed", ended.reason) if ended.status == "stopped" else ended


def _known() -> str:
    """The address that ``auto`` stands for: Ray notes the last cluster of this machine in a file.

    ``auto`` itself if none is noted; Ray looks for one then.
    """
    note = Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray/ray_current_cluster")  # noqa: S108
    try:
        return os.environ.get("RAY_ADDRESS") or note.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return "auto"


def _answers(address: str) -> bool:
    """Whether something accepts connections at ``HOST:PORT`` or ``ray://HOST:PORT``.

    True for an address without a port, such as ``auto``.
    """
    name, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return True
    try:
        with socket.create_connection((name.strip("[]"), int(port)), ANSWER):
            return True
    except (OSError, OverflowError):
        return False
