"""Tables and Markdown on the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from adframe.io.terminal import Screen, clean

_NUMBER = re.compile(r"[+-]?[\d,.]*|not counted")


def show_table(screen: Screen, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; where the terminal is too narrow for one, a list of its rows."""
    lines = [[clean(cell) for cell in row] for row in (head, *rows)]
    columns = list(zip(*lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numbers = [all(map(_NUMBER.fullmatch, column[1:])) for column in columns]
    if screen.console is None or sum(widths) + 2 * len(widths) <= screen.console.width:
        for index, row in enumerate(lines):
            cells = [
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(row, widths, numbers, strict=True)
            ]
            screen.line("  ".join(cells).rstrip(), style="" if index else "bold")
        return
    titles = max(map(len, lines[0])) + 2
    for row in lines[1:]:
        screen.line(row[0], style="bold")
        for title, cell in list(zip(lines[0], row, strict=True))[1:]:
            screen.line(cell, head=f"  {title}".ljust(titles + 2))


def show_markdown(screen: Screen, text: str) -> None:
    """Print Markdown: as it is, or on a terminal its headings, lists and tables laid out."""
    if screen.console is None:
        screen.block(text)
        return
    for block in re.split(r"\n\n+", text.strip()):
        lines = block.splitlines()
        if lines[0].startswith("|"):
            cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
            table = [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]
            show_table(screen, table[0], table[2:])
        elif lines[0].startswith("#"):
            screen.line(block.lstrip("# "), style="bold")
        else:
            for line in lines:
                head = (re.match(r"- |\d+\. ", line) or [""])[0]
                screen.line(re.sub(r"\*\*|`", "", line.removeprefix(head)), head=head)
        screen.line()
