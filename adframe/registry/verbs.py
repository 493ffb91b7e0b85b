"""Verbs of the command line, found through entry points of the group ``adframe.verbs``.

Nothing is imported to list them. A verb's module is imported when the verb is called.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, cast

from adframe.errors import PluginFault, UserError, one_line
from adframe.registry.entry_points import Point, entry_points, prints_to_stderr, stops
from adframe.registry.registry import reason
from adframe.registry.source import module_source

GROUP = "adframe.verbs"


class Verb(Protocol):
    """Interface of a command of ``adframe``: a module, object or class with these members."""

    summary: str  #: one line for ``adframe --help``

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare options and arguments. ``--plugin`` and ``--without`` are declared already."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Run the command; returns the exit status. A ``UserError`` gives one line and status 2."""


@dataclass(frozen=True)
class VerbEntry:
    """An installed verb.

    Attributes:
        target: ``module``, or ``module:attribute``.
        owner: the distribution that brings it, with its ``version``.
    """

    name: str
    target: str
    owner: str
    version: str

    @property
    def bundled(self) -> bool:
        """Whether the verb is part of adframe."""
        return self.owner == "adframe"

    @property
    def origin(self) -> str:
        """Distribution and target, for messages."""
        return f"{self.owner} ({self.target})"

    def load(self) -> Verb:
        """Import the verb.

        Raises:
            PluginFault: the import failed, or the imported object is not a verb.
        """
        try:
            verb = Point(self.name, self.target, self.owner, self.version, GROUP).load()
            if isinstance(verb, type):
                verb = verb()
            for name in ("summary", "add_arguments", "run"):
                getattr(verb, name)
            if not isinstance(verb.summary, str):
                raise TypeError(f"its summary is no text: {verb.summary!r}")
        except BaseException as error:
            if stops(error):
                raise
            raise PluginFault(self.failed(error)) from error
        return cast(Verb, verb)

    def failed(self, error: BaseException) -> str:
        """One-line message with the reason why the verb cannot be used."""
        return f"command '{self.name}' of {self.origin} did not load: {reason(error)}"

    def summary(self) -> str:
        """The verb's summary, read from its source where it is a plain string there.

        Raises:
            PluginFault: it had to be imported, and that failed.
        """
        module, _, attribute = self.target.partition(":")
        with suppress(Exception, SystemExit), prints_to_stderr():
            body: Sequence[ast.stmt] = ast.parse(module_source(module)).body
            if attribute:
                (body,) = (n.body for n in body if isinstance(n, ast.ClassDef)
                           and n.name == attribute)  # fmt: skip
            for node in body:
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "summary":
                    text = ast.literal_eval(node.value)
                    if isinstance(text, str):
                        return one_line(" ".join(text.split()))
        return one_line(" ".join(self.load().summary.split()))


def find_verbs() -> dict[str, list[VerbEntry]]:
    """All verbs by name, sorted, with every distribution that claims the name, adframe first."""
    found: dict[str, list[VerbEntry]] = {}
    for point in entry_points(GROUP):
        entry = VerbEntry(point.name, point.value, point.owner, point.version)
        found.setdefault(point.name, []).append(entry)
    return {
        name: sorted(found[name], key=lambda entry: (not entry.bundled, entry.origin))
        for name in sorted(found)
    }


def only(entries: Sequence[VerbEntry]) -> VerbEntry:
    """The entry of a verb. A verb of adframe keeps its name; other packages cannot take it.

    Raises:
        UserError: several other packages claim the name.
    """
    if len(entries) > 1 and not entries[0].bundled:
        owners = " and ".join(entry.origin for entry in entries)
        raise UserError(f"command '{entries[0].name}' is claimed by {owners}; uninstall one")
    return entries[0]
