"""Stopping a run in good order: Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stopped(KeyboardInterrupt):
    """A run was asked to stop, and did; the message says where.

    Attributes:
        status: what a shell expects as exit status: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.status = 128 + number


class Stop:
    """Whether a run was asked to stop.

    Attributes:
        asked: number of the signal that asked; 0 as long as none did.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._patient = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM: each ends what is under way with ``Stopped``.

        Signals that are ignored, as under ``nohup``, stay so. Only the main thread gets signals;
        in another nothing happens.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [n for n in (signal.SIGINT, signal.SIGTERM)
                   if signal.getsignal(n) is not signal.SIG_IGN]  # fmt: skip
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Meanwhile the first signal only sets ``asked``; a second one ends all at once."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False
        if self.asked:
            raise Stopped(self.asked)

    def _handle(self, number: int, frame: Any) -> None:
        if not self._patient or self.asked:
            raise Stopped(number)
        self.asked = number
