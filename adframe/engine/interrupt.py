"""Stops a command on Ctrl-C and SIGTERM, and a run without losing work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from adframe.errors import Stopped


class Stop:
    """Signal handler of a command or a run: records the signal that stops it.

    Attributes:
        asked: number of the first signal that was received; 0 if there was none.
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
        again, self.asked = self.asked, self.asked or number
        if not self._patient or again:
            raise Stopped(number)
