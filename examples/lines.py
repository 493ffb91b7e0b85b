"""Counts the lines of the one-file plugins: those that are neither blank nor only a comment.

Docstrings and imports count. Prints one row of a table for each file of ``examples/small``.
"""

from pathlib import Path

#: File -> lines of a plugin for the same idea, counted alike, that was written from the docs of an
#: earlier state of adframe.
BEFORE = {
    "anogan": 145,
    "plad": 57,
    "svdd": 83,
    "msc": 98,
    "moco": 61,
    "patches": 146,
    "sched": 109,
    "watch": 147,
    "ensemble": 99,
}


def count(file: Path) -> int:
    """Number of lines of a file that are neither blank nor only a comment."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return sum(bool(line) and not line.startswith("#") for line in lines)


def table() -> list[str]:
    """Rows of a table in Markdown: file, lines before, lines now; the last row has the sums."""
    folder = Path(__file__).parent / "small"
    now = {name: count(folder / f"{name}.py") for name in BEFORE}
    rows = [f"| `{name}.py` | {BEFORE[name]} | {now[name]} |" for name in BEFORE]
    return [*rows, f"| together | {sum(BEFORE.values())} | {sum(now.values())} |"]


if __name__ == "__main__":
    print("\n".join(table()))
