"""Jobs on this machine: one after the other, or in several processes at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Generator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import cast

from adframe.errors import UserError
from adframe.jobs.executors import Executor
from adframe.jobs.job import Ended, Job, run_job

TRIES = 3  # of a job whose process was killed
MOST = 256  # processes
SAVING = 60.0  # seconds that processes get to save a checkpoint after a signal


class LocalExecutor(Executor):
    """Jobs in ``N`` processes, each with its share of the cores; without N in this process.

    With several GPUs, the processes take them in turn.
    """

    def __init__(self, text: str = "") -> None:
        if text and not (text.isdecimal() and text.isascii() and 1 <= int(text[:9]) <= MOST):
            raise UserError(f"give a number of processes, 1 to {MOST}, not '{text}'")
        self.count = int(text or 1)
        self.here = not text

    def run(self, jobs: Sequence[Job]) -> Generator[tuple[int, Ended | None]]:
        """See ``Executor.run``. A lost process is replaced, and its job tried again."""
        if self.here:
            for index, job in enumerate(jobs):
                yield index, None
                yield index, run_job(job)
            return
        left = list(range(len(jobs)))[::-1]
        tries: dict[int, int] = {}
        fetched: dict[int, Job] = {}  # those that run
        idle = [_Worker(self.count, number) for number in range(min(self.count, len(jobs)))]
        busy: dict[Connection, tuple[_Worker, int]] = {}
        try:
            while left or busy:
                while left and idle:
                    worker, index = idle.pop(), left.pop()
                    busy[worker.connection] = (worker, index)
                    tries[index] = tries.get(index, 0) + 1
                    fetched[index] = fetched.get(index) or jobs[index]
                    worker.start(fetched[index])
                    yield index, None
                for connection in wait(list(busy)):
                    worker, index = busy.pop(cast(Connection, connection))
                    ended: Ended | None = worker.end()
                    if ended and ended.status in ("lost", "stopped"):  # by a signal to it alone
                        worker.close()
                        worker = _Worker(self.count, worker.number)
                        if tries[index] < TRIES:
                            left.append(index)
                            ended = None
                    idle.append(worker)
                    if ended is not None:
                        del fetched[index], tries[index]
                        yield index, ended
        finally:
            _end([*idle, *(worker for worker, _ in busy.values())])


class _Worker:
    """A process that runs jobs which it receives, and sends back how each ended.

    Args:
        processes: how many there are.
        number: which of them this is, from 0.
    """

    def __init__(self, processes: int, number: int) -> None:
        self.number = number
        context = multiprocessing.get_context("spawn")  # torch cannot be forked
        self.connection, there = context.Pipe()
        threads = max(1, len(os.sched_getaffinity(0)) // processes)
        self.process = context.Process(target=_work, args=(there, threads, number))
        self.process.start()
        there.close()  # so that the end of the process ends the connection

    def start(self, job: Job) -> None:
        """Send a job; that the process has ended is found out by ``end``."""
        with suppress(OSError):
            self.connection.send(job)

    def end(self) -> Ended:
        """How the job ended; waits for it."""
        try:
            ended: Ended = self.connection.recv()
        except (EOFError, OSError):
            return Ended("lost", f"its process was lost {TRIES} times")
        return ended

    def close(self) -> None:
        """End the process: an idle one at once, another after it has saved a checkpoint."""
        self.connection.close()
        self.process.terminate()


def _work(connection: Connection, threads: int, number: int) -> None:
    """Run jobs until the connection is closed, or a signal stops a job."""
    import torch

    torch.set_num_threads(threads)
    if devices := torch.cuda.device_count():
        torch.cuda.set_device(number % devices)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with suppress(EOFError, OSError, KeyboardInterrupt):  # the process that sends has ended
        while True:
            ended = run_job(connection.recv())
            connection.send(ended)
            if ended.status == "stopped":
                return


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.close()
    for worker in workers:
        worker.process.join(SAVING)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
