"""Entry points of installed packages, and imports of what they name.

Any package may bring any metadata. An entry point that cannot be read is one that does not load.
"""

from __future__ import annotations

import dis
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any

from adframe.errors import PluginFault, Stopped, one_line

PLUGINS = "adframe"  # the group of plugins


@dataclass(frozen=True)
class Point:
    """An entry point; ``owner`` is the distribution that brings it, with its ``version``."""

    name: str
    value: str
    owner: str
    version: str
    group: str
    damaged: str = ""  #: why the metadata cannot be read

    def load(self) -> Any:
        """Import what it names; what is printed meanwhile goes to standard error.

        Raises:
            PluginFault: its value names no module or attribute.
        """
        if self.damaged:
            raise PluginFault(f"its entry_points.txt cannot be read: {self.damaged}")
        module, colon, attribute = self.value.partition(":")
        parts = [*module.split("."), *(attribute.split(".") if colon else ())]
        if not all(part.isidentifier() for part in parts):
            raise PluginFault(f"its entry point '{one_line(self.value)}' names no module")
        with prints_to_stderr():
            return importlib.metadata.EntryPoint(self.name, self.value, self.group).load()


def entry_points(group: str) -> list[Point]:
    """Entry points of a group, sorted by name; of each name and distribution the first found."""
    found: dict[tuple[str, str], Point] = {}
    seen: set[str] = set()
    for dist in importlib.metadata.distributions():
        damaged = ""
        try:
            points = [*dist.entry_points.select(group=group)]
        except Exception as error:  # the file is damaged
            damaged, points = one_line(f"{type(error).__name__}: {error}"), []
        if not points and (not damaged or group != PLUGINS):
            continue  # a stale copy without this group hides nothing
        owner = _text(dist, "Name")
        known = re.sub(r"[-_.]+", "-", owner).lower()
        if known and known in seen:  # another copy, later on the path, that nothing imports
            continue
        seen.add(known)
        if not points:  # the group is unknown; it is named once
            points = [importlib.metadata.EntryPoint(known or "?", "entry_points.txt", group)]
        version = _text(dist, "Version")
        for point in points:
            made = Point(point.name, point.value, owner, version, group, damaged)
            found.setdefault((point.name, owner), made)
    return [found[key] for key in sorted(found)]


def _text(dist: Any, field: str) -> str:
    """A field of the metadata; ``dist.name`` parses the whole README in it, at each call."""
    with suppress(Exception):
        head = (dist.read_text("METADATA") or dist.read_text("PKG-INFO")).partition("\n\n")[0]
        found = re.search(rf"^{field}:[ \t]*(\S+)[ \t]*$", head, re.MULTILINE)
        return str(found[1])  # type: ignore[index]
    try:
        return str(getattr(dist, field.lower()) or "")
    except Exception:  # metadata that is missing or cannot be read
        return ""


@contextmanager
def prints_to_stderr() -> Iterator[None]:
    """Send what is printed to standard error; standard output is kept for a command's answer."""
    with redirect_stdout(sys.stderr):
        yield


def stops(error: BaseException) -> bool:
    """Whether an exception is the user's interrupt, and not a fault of what was imported.

    Code that raises KeyboardInterrupt ends at a ``raise`` statement. A signal ends at any
    other instruction, or in a handler of adframe.
    """
    if isinstance(error, Stopped) or not isinstance(error, KeyboardInterrupt):
        return isinstance(error, Stopped)
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or str(last.tb_frame.f_globals.get("__name__")).startswith("adframe."):
        return True
    names = {at.offset: at.opname for at in dis.get_instructions(last.tb_frame.f_code)}
    return names.get(last.tb_lasti) != "RAISE_VARARGS"
