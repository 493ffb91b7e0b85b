"""Text for people: laid out for the terminal's width there, plain and stable where it is piped."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

#: Control characters, marks that change the direction of text, and what UTF-8 cannot write.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?[\d,.]*|not counted")


def clean(text: str) -> str:
    """Text with its control characters escaped, so that a file name cannot steer the terminal."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Screen:
    """Where a command prints.

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
        """Print lines as they are, as a piece of a config."""
        text = clean(text)
        if self.console is None:
            print(text, file=self.stream)
        else:
            self.console.print(text, soft_wrap=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; where the terminal is too narrow for one, a list of its rows."""
        lines = [[clean(cell) for cell in row] for row in (head, *rows)]
        columns = list(zip(*lines, strict=True))
        widths = [max(map(len, column)) for column in columns]
        numbers = [all(map(_NUMBER.fullmatch, column[1:])) for column in columns]
        if self.console is None or sum(widths) + 2 * len(widths) <= self.console.width:
            for index, row in enumerate(lines):
                cells = [
                    cell.rjust(width) if right else cell.ljust(width)
                    for cell, width, right in zip(row, widths, numbers, strict=True)
                ]
                self.line("  ".join(cells).rstrip(), style="" if index else "bold")
            return
        titles = max(map(len, lines[0])) + 2
        for row in lines[1:]:
            self.line(row[0], style="bold")
            for title, cell in list(zip(lines[0], row, strict=True))[1:]:
                self.line(cell, head=f"  {title}".ljust(titles + 2))

    def markdown(self, text: str) -> None:
        """Print Markdown: as it is, or on a terminal its headings, lists and tables laid out."""
        if self.console is None:
            print(clean(text), file=self.stream)
            return
        for block in re.split(r"\n\n+", text.strip()):
            lines = block.splitlines()
            if lines[0].startswith("|"):
                cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
                table = [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]
                self.table(table[0], table[2:])
            elif lines[0].startswith("#"):
                self.line(block.lstrip("# "), style="bold")
            else:
                for line in lines:
                    head = (re.match(r"- |\d+\. ", line) or [""])[0]
                    self.line(re.sub(r"\*\*|`", "", line.removeprefix(head)), head=head)
            self.line()


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
    """Print one thing that went wrong on standard error."""
    Screen(sys.stderr).line(str(message), style="red")


class _StatusLines(logging.Handler):
    """Prints what adframe logs, one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record on standard error, as it is at this moment: a progress bar replaces it."""
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
