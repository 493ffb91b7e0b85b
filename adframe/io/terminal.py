"""Printed output: fits the terminal's width; plain and stable if it is piped."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

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


def open_closed_streams() -> None:
    """Open the null device for standard output and error where the caller has closed them."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def error_line(message: object) -> None:
    """Print one error on standard error."""
    Screen(sys.stderr).line(str(message), style="red")


class _StatusLines(logging.Handler):
    """Logging handler that prints one line per record."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record on the current standard error, which a progress bar may have replaced."""
        head = f"{record.levelname.lower()}: "
        Screen(sys.stderr).line(record.getMessage(), head=head, of_head="yellow")


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
