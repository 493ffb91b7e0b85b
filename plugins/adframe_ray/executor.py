"""Jobs on Ray: on this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from adframe import UserError
from adframe.jobs import Ended, Executor, Job, run_job

TRIES = 3  # of a job whose process or machine was lost


class RayExecutor(Executor):
    """Jobs as Ray tasks of one core, or of one core and one GPU if ``train.device`` is ``cuda``.

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
        self.ray, self.address = ray, text or None

    def run(self, jobs: Sequence[Job]) -> Generator[tuple[int, Ended | None]]:
        """See ``Executor.run``. Ray tries a task again whose process was lost."""
        ray, started = self.ray, not self.ray.is_initialized()
        if started:
            options: dict[str, Any] = {"include_dashboard": False} if self.address is None else {}
            try:
                ray.init(self.address, log_to_driver=False, logging_level="error", **options)
            except ConnectionError as error:
                raise UserError(f"no Ray cluster at {self.address}") from error
        task = ray.remote(max_retries=TRIES - 1)(run_job)
        running: dict[Any, int] = {}
        try:
            for index, job in enumerate(jobs):
                gpus = int(job.config.train.device.startswith("cuda"))
                running[task.options(num_cpus=1, num_gpus=gpus).remote(job)] = index
                yield index, None
            while running:
                (done,), _ = ray.wait(list(running), num_returns=1)
                yield running.pop(done), self._ended(done)
        finally:
            for one in running:
                ray.cancel(one)
            if started:
                ray.shutdown()

    def _ended(self, done: Any) -> Ended:
        try:
            ended: Ended = self.ray.get(done)
        except self.ray.exceptions.RayError as error:
            return Ended("lost", f"its process was lost {TRIES} times: {type(error).__name__}")
        return Ended("failed", ended.reason) if ended.status == "stopped" else ended
