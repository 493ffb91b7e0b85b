"""Stops a command on Ctrl-C and SIGTERM, and a run without losing work."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from adframe.errors import Stopped

SAME = 0.5  # seconds: `timeout` and batch systems signal a process, and then its group
LATER = 0.05  # seconds after which a signal is repeated whose exception was lost


class Stop:
    """Signal handler of a command or a run: records the signal that stops it.

    Args:
        ends_process: for a whole command. ``Stopped`` is raised once and only in ``raising()``;
            after it, and after the command, a second signal ends the process at once.

    Attributes:
        asked: number of the first signal that was received; 0 if there was none.
    """

    def __init__(self, ends_process: bool = False) -> None:
        self.asked = 0
        self._ends_process = ends_process
        self._raises = not ends_process
        self._patient = False
        self._since = 0.0
        self._outer: Stop | None = None
        self._hook = sys.unraisablehook

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM in this context by raising ``Stopped``.

        Signals that are ignored, as with ``nohup``, stay ignored. Only the main thread receives
        signals; in another thread this context does nothing. An exception that Python drops,
        because a destructor was running, is raised a little later.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [n for n in (signal.SIGINT, signal.SIGTERM)
                   if signal.getsignal(n) is not signal.SIG_IGN]  # fmt: skip
        outer = [getattr(signal.getsignal(n), "__self__", None) for n in numbers]
        self._outer = next((stop for stop in outer if isinstance(stop, Stop)), None)
        self._hook, sys.unraisablehook = sys.unraisablehook, self._dropped
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            known, self._raises = self.asked, False
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)
            sys.unraisablehook = self._hook
            self._raises = not self._ends_process
        if self.asked and not known and not self._ends_process:
            raise Stopped(self.asked)

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Let signals raise ``Stopped`` in this context, and not in the code around it."""
        self._raises = True
        try:
            if self.asked:  # before this context
                raise Stopped(self.asked)
            yield
        finally:
            self._raises = False

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
        now, again = time.monotonic(), self.asked
        if again and now - self._since < SAME:
            return
        self._record(number, now)
        if self._raises:
            if not self._patient or again:
                self._raises = not self._ends_process
                raise Stopped(number)
        elif again:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _record(self, number: int, now: float) -> None:
        self.asked, self._since = self.asked or number, now
        if self._outer is not None:
            self._outer._record(number, now)

    def _dropped(self, lost: sys.UnraisableHookArgs) -> None:
        """Repeat a signal whose exception Python has dropped."""
        if not isinstance(lost.exc_value, Stopped):
            self._hook(lost)
            return
        self._raises = True
        stop: Stop | None = self
        while stop is not None:
            stop.asked, stop = 0, stop._outer
        number = lost.exc_value.status - 128
        again = threading.Timer(LATER, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
