"""Printed output: fits the terminal's width; plain and stable if it is piped."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from adframe.errors import Stopped, one_line

#: Control characters, marks that change the direction of text, and code points without UTF-8.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Escape control characters in a text, so that a file name cannot control the terminal."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Screen:
    """Standard output of a command.

    On a terminal words wrap at its width, and colours follow ``NO_COLOR``. Anywhere else a line
    stays a line. Text is never read as markup.

    Args:
        stream: standard output by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stdout if stream is None else stream
        self.console = None
        if self.stream.isatty():
            from rich.console import Console  # late: most of the time of `adframe list`

            self.console = Console(file=self.stream, highlight=False, markup=False, emoji=False)

    def line(self, text: str = "", *, head: str = "", style: str = "", of_head: str = "") -> None:
        """Print a paragraph.

        Args:
            text: wraps under the end of ``head``.
            head: what comes first, as a name in its column; never wrapped.
            style: rich style of the text.
            of_head: rich style of the head.
        """
        text, head = clean(text), clean(head)
        if self.console is None:
            print(head + text, file=self.stream)
            return
        from rich.cells import cell_len
        from rich.text import Text

        margin = cell_len(head)
        for number, part in enumerate(_wrapped(text, max(20, self.console.width - margin))):
            start = " " * margin if number else head
            line = Text.assemble((start, of_head or style), (part, style))
            self.console.print(line, soft_wrap=True)

    def block(self, text: str) -> None:
        """Print lines unchanged, for example a part of a config."""
        text = clean(text)
        if self.console is None:
            print(text, file=self.stream)
        else:
            self.console.print(text, soft_wrap=True)


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` columns, broken between words; a longer word stays whole."""
    from rich.cells import cell_len

    lines = []
    for line in text.rstrip().split("\n"):
        lines.append("")
        for word in re.findall(r"\s*\S+", line):
            if lines[-1] and cell_len(lines[-1] + word) > width:
                lines.append(word.lstrip())
            else:
                lines[-1] += word
    return lines


def prepare_streams() -> None:
    """Prepare standard output and error for any text.

    Where the caller has closed them, they become the null device. What their encoding cannot
    express is shown as an escape.
    """
    for number in range(3):  # else the next file gets the number, and libraries print into it
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        else:
            with suppress(AttributeError, ValueError, OSError):  # no file, or closed
                stream.reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Lead standard output to the null device, so that what it still holds is not an error."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def error_line(message: object) -> None:
    """Print one error on standard error, if that can be written."""
    with suppress(OSError, ValueError):
        Screen(sys.stderr).line(str(message), style="red")


def stopped_line(stopped: Stopped) -> int:
    """Print that a signal stopped a command that continues; returns its exit status."""
    error_line(f"{str(stopped) or 'interrupted'}; the same command continues")
    return stopped.status


class _StatusLines(logging.Handler):
    """Logging handler that prints one line per record."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record on the current standard error, which a progress bar may have replaced."""
        head = f"{record.levelname.lower()}: "
        with suppress(OSError, ValueError):
            Screen(sys.stderr).line(one_line(record.getMessage()), head=head, of_head="yellow")


@contextmanager
def status_lines() -> Iterator[None]:
    """Print the warnings that adframe logs while a command runs, each once."""
    logger, handler = logging.getLogger("adframe"), _StatusLines(logging.WARNING)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
