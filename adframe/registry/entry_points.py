"""Entry points of installed packages, and imports of what they name.

Any package may bring any metadata. An entry point that cannot be read is one that does not load.
"""

from __future__ import annotations

import importlib.metadata
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

from adframe.errors import PluginFault, Stopped, one_line


@dataclass(frozen=True)
class Point:
    """An entry point; ``owner`` is the distribution that brings it, with its ``version``."""

    name: str
    value: str
    owner: str
    version: str
    group: str

    def load(self) -> Any:
        """Import what it names; what is printed meanwhile goes to standard error.

        Raises:
            PluginFault: its value names no module or attribute.
        """
        module, colon, attribute = self.value.partition(":")
        parts = [*module.split("."), *(attribute.split(".") if colon else ())]
        if not all(part.isidentifier() for part in parts):
            raise PluginFault(f"its entry point '{one_line(self.value)}' names no module")
        with prints_to_stderr():
            return importlib.metadata.EntryPoint(self.name, self.value, self.group).load()


def entry_points(group: str) -> list[Point]:
    """Entry points of a group, sorted by name; of each name and distribution the first found."""
    found: dict[tuple[str, str], Point] = {}
    for point in importlib.metadata.entry_points(group=group):
        dist = point.dist
        owner, version = _text(dist, "name"), _text(dist, "version")
        found.setdefault((point.name, owner), Point(point.name, point.value, owner, version, group))
    return [found[key] for key in sorted(found)]


def _text(dist: Any, name: str) -> str:
    try:
        return str(getattr(dist, name) or "")
    except Exception:  # metadata that is missing or cannot be read
        return ""


@contextmanager
def prints_to_stderr() -> Iterator[None]:
    """Send what is printed to standard error; standard output is kept for a command's answer."""
    with redirect_stdout(sys.stderr):
        yield


def stops(error: BaseException) -> bool:
    """Whether an exception is the user's interrupt, and not a fault of what was imported.

    The signal handlers of adframe and Python raise KeyboardInterrupt in the main thread, in their
    own frame; a plugin that raises one itself has no such frame.
    """
    if isinstance(error, Stopped) or not isinstance(error, KeyboardInterrupt):
        return isinstance(error, Stopped)
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return threading.current_thread() is threading.main_thread() and not _raised_by_code(last)


def _raised_by_code(last: Any) -> bool:
    """Whether the instruction that ended is a ``raise``."""
    import dis

    if last is None:
        return False
    ops = {i.offset: i.opname for i in dis.get_instructions(last.tb_frame.f_code)}
    return ops.get(last.tb_lasti) in ("RAISE_VARARGS", "RERAISE")
