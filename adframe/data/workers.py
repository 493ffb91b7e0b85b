"""Worker processes that decode images: they leave signals to the run and end with it."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from torch.utils.data import DataLoader

from adframe.errors import ProcessLost

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl.h
_STOPPING = (signal.SIGINT, signal.SIGTERM)
_LOST = (ConnectionError, EOFError)  # of a worker that ended while it gave a batch away


@contextmanager
def watched_workers(loader: DataLoader[Any]) -> Iterator[Iterator[Any]]:
    """The batches of a loader, whose workers start without taking a signal and end with this.

    Raises:
        ProcessLost: a worker has ended, for example killed for its memory.
    """
    batches: Any = None
    workers: list[Any] = []
    try:
        with _signals_held():
            batches = iter(loader)
        workers = getattr(batches, "_workers", [])
        yield batches
    except (RuntimeError, *_LOST) as error:
        named = "DataLoader worker" in str(error) and "Caught" not in str(error)
        if named or isinstance(error, _LOST):
            text = "a process that decodes images was killed"
            raise ProcessLost(f"{text}; is memory full? workers: 0 needs none") from error
        raise
    finally:
        del batches  # ends the workers
        for worker in workers:
            with suppress(ValueError):  # it is closed
                if worker.is_alive():
                    worker.kill()  # they ignore SIGTERM
                    worker.join()


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back while workers start, and keep torch from raising errors in handlers.

    A worker would take a signal of the process group with the handlers of the run, before it can
    set its own. On SIGCHLD, torch raises an error in the middle of a training step; without it, a
    worker that has ended is found when its batch is due.
    """
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    child = signal.getsignal(signal.SIGCHLD)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        with suppress(ValueError, TypeError):  # not the main thread, or a handler not of Python
            signal.signal(signal.SIGCHLD, child)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def belong_to(parent: int, worker: int) -> None:
    """Make this worker ignore Ctrl-C and SIGTERM, and end when its parent ends.

    Signals often reach the whole process group; the run handles them.

    Args:
        parent: number of the parent process.
        worker: index of the worker.
    """
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    with suppress(OSError, AttributeError, TypeError):  # not on Linux: torch looks every 5 s
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, int(signal.SIGKILL))
    if hasattr(os, "fork") and os.getppid() != parent:  # it ended before
        os._exit(1)
