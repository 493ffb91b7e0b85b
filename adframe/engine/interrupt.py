"""Stops a run on Ctrl-C and SIGTERM without losing work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stopped(KeyboardInterrupt):
    """Exception of a run stopped by a signal; the message names the step.

    Attributes:
        status: the exit status: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.status = 128 + number


class Stop:
    """Signal handler of a run: records the signal that stops it.

    Attributes:
        asked: number of the signal that was received; 0 if there was none.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._patient = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM in this context by raising ``Stopped``.

        Signals that are ignored, as with ``nohup``, stay ignored. Only the main thread receives
        signals; in another thread this context does nothing.
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
        """Delay the first signal to the end of this context; the second raises ``Stopped``."""
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
