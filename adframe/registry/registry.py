"""Which components there are: kinds, entries and the registry made of them for one call.

Imports neither torch nor pydantic, and imports no component: an entry is an import string until
a config names it.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from adframe.errors import PluginFault, UnknownComponent, UserError, did_you_mean

#: Kind -> (name of its base class in ``adframe.interfaces``, what components of it do).
KINDS: dict[str, tuple[str, str]] = {
    "dataset": ("Dataset", "images of what is normal, and test images with their truth"),
    "backbone": ("Backbone", "a network that returns the feature map of each of its stages"),
    "shift": ("Shift", "a shifting transformation that turns inliers into virtual outliers"),
    "augmentation": ("Augmentation", "a batched random transform with a strength"),
    "schedule": ("Schedule", "which augmentation each depth of the network sees, and when"),
    "loss": ("Loss", "a training objective over the embeddings of one stage"),
    "method": ("Method", "how a batch becomes optimiser updates"),
    "optimizer": ("Optimizer", "how parameters move, and the learning rate over a run"),
    "scorer": ("Scorer", "an anomaly score fitted on training features"),
}


@dataclass
class Plugin:
    """A plugin as it was found: what it is called, where it came from, and what broke if it did."""

    name: str
    version: str
    origin: str
    package: str = ""
    bundled: bool = False
    error: str | None = None
    owner: str = ""  #: the distribution it was installed with; nothing for a file

    @property
    def key(self) -> str:
        """What tells it from another plugin of its name: ``distribution:name``, or its file."""
        return f"{self.owner}:{self.name}" if self.owner else self.origin

    @property
    def note(self) -> str:
        """That it did not load, and why."""
        return f"plugin '{self.name}' did not load: {self.error}"


@dataclass(frozen=True)
class Entry:
    """One component on offer; ``target`` is an absolute ``module:Class`` string or the class."""

    kind: str
    name: str
    target: str | type
    plugin: Plugin = field(compare=False)
    default: bool = False

    def load(self) -> type:
        """Import the class.

        Raises:
            PluginFault: the import failed, or what it names is not a class of the kind.
        """
        who = f"{self.kind} '{self.name}' of plugin '{self.plugin.name}'"
        if isinstance(self.target, str):
            module, _, attribute = self.target.partition(":")
            try:
                target = getattr(importlib.import_module(module), attribute)
            except (Exception, SystemExit) as error:
                raise PluginFault(
                    f"{who} cannot be imported from {self.target}: {reason(error)}"
                ) from error
        else:
            target = self.target
        base = getattr(importlib.import_module("adframe.interfaces"), KINDS[self.kind][0])
        if not (isinstance(target, type) and issubclass(target, base)):
            raise PluginFault(f"{who} is not a subclass of adframe.interfaces.{base.__name__}")
        if inspect.isabstract(target):
            lacking = ", ".join(sorted(target.__abstractmethods__))  # type: ignore[attr-defined]
            raise PluginFault(f"{who} does not implement {lacking}")
        return target

    def summary(self) -> str:
        """First line of the class's docstring, read from the source without importing it."""
        if not isinstance(self.target, str):
            return (self.target.__doc__ or "").strip().partition("\n")[0]
        module, _, attribute = self.target.partition(":")
        return _summaries(module).get(attribute, "")


@cache
def _summaries(module: str) -> dict[str, str]:
    try:
        code = ast.parse(module_source(module))
    except (Exception, SystemExit):  # a listing survives a module that cannot be found or read
        return {}
    classes = [node for node in code.body if isinstance(node, ast.ClassDef)]
    return {node.name: (ast.get_docstring(node) or "").partition("\n")[0] for node in classes}


def module_source(module: str) -> bytes:
    """A module's file; mostly beside its package, which is imported, and found there at once."""
    parent, _, name = module.rpartition(".")
    for folder in getattr(sys.modules.get(parent), "__path__", ()):
        with suppress(OSError), open(f"{folder}/{name}.py", "rb") as file:
            return file.read()
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).read_bytes() if spec and spec.origin else b""


def reason(error: BaseException) -> str:
    """Type and first line of an exception, as a note on what broke."""
    return f"{type(error).__name__}: {str(error).strip()}".partition("\n")[0].rstrip(": ")


class Registry:
    """The components of one call, by kind and name; ``registry.loading.load_plugins`` makes it."""

    def __init__(self) -> None:
        self.plugins: list[Plugin] = []
        self._entries: dict[tuple[str, str], list[Entry]] = {}

    def __iter__(self) -> Iterator[Entry]:
        """Every entry, those of a contested name included, grouped by kind."""
        order = list(KINDS)
        for key in sorted(self._entries, key=lambda key: (order.index(key[0]), key[1])):
            yield from self._entries[key]

    def add(self, entry: Entry) -> None:
        """Take an entry; a name claimed twice is kept as a conflict until somebody asks for it."""
        if entry.kind not in KINDS:
            raise PluginFault(f"no kind '{entry.kind}'{did_you_mean(entry.kind, KINDS)}")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", entry.name):
            raise PluginFault(f"'{entry.name}' is no component name: use lower_case_words")
        claims = self._entries.setdefault((entry.kind, entry.name), [])
        if any(claim.plugin is entry.plugin for claim in claims):
            raise PluginFault(f"offers {entry.kind} '{entry.name}' twice")
        claims.append(entry)

    def remove(self, plugin: Plugin) -> None:
        """Forget everything a plugin offered."""
        for key, entries in list(self._entries.items()):
            self._entries[key] = [entry for entry in entries if entry.plugin is not plugin]
            if not self._entries[key]:
                del self._entries[key]

    def names(self, kind: str) -> list[str]:
        """Names on offer for a kind, sorted."""
        return sorted(name for of, name in self._entries if of == kind)

    def get(self, kind: str, name: str) -> Entry:
        """The one entry of that kind and name.

        Raises:
            UnknownComponent: there is none; the message suggests the nearest and names the
                plugins that failed to load.
            UserError: there is no such kind, or two plugins claim the name.
        """
        if kind not in KINDS:
            raise UserError(f"no kind '{kind}'{did_you_mean(kind, KINDS)}")
        entries = self._entries.get((kind, name), [])
        if not entries:
            note = "".join(f" ({plugin.note})" for plugin in self.plugins if plugin.error)
            raise UnknownComponent(
                f"no {kind} named '{name}'{did_you_mean(name, self.names(kind))}{note}"
            )
        return _only(entries, f"{kind} '{name}'")

    def default(self, kind: str) -> Entry | None:
        """The entry a config gets that does not mention the kind, if a plugin offers one."""
        entries = [entry for entry in self if entry.kind == kind and entry.default]
        return _only(entries, f"the default {kind}") if entries else None


def _only(entries: list[Entry], what: str) -> Entry:
    if len(entries) > 1:
        claims = " and ".join(f"'{e.plugin.name}' ({e.plugin.origin})" for e in entries)
        last = entries[-1].plugin
        alike = sum(entry.plugin.name == last.name for entry in entries) > 1
        raise UserError(
            f"{what} is claimed by plugins {claims}; "
            f"leave one out with --without {last.key if alike else last.name}"
        )
    return entries[0]
