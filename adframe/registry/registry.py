"""The registry of components: kinds, and an entry for each component.

Imports no torch, no pydantic and no component: an entry holds an import string, which is imported
when a config names the component.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from adframe.errors import PluginFault, UnknownComponent, UserError, did_you_mean
from adframe.registry.entry_points import Point, stops
from adframe.registry.process_state import unchanged
from adframe.registry.source import summaries

MAX_REASON = 1000  #: characters of an exception that are quoted in a message

#: Kind -> (name of its base class in ``adframe.interfaces``, description).
KINDS: dict[str, tuple[str, str]] = {
    "dataset": ("Dataset", "inliers for training, and labelled inliers and outliers for testing"),
    "backbone": ("Backbone", "a network that returns the feature map of each of its stages"),
    "shift": ("Shift", "a shifting transformation that turns inliers into virtual outliers"),
    "augmentation": ("Augmentation", "a random transform of a batch of images, with a strength"),
    "schedule": ("Schedule", "which stages of the network are trained, when, on which views"),
    "loss": ("Loss", "a loss computed from the embeddings of one stage"),
    "method": ("Method", "a training method: computes the losses to minimise for a batch"),
    "optimizer": ("Optimizer", "an optimiser and its learning rate over a run"),
    "scorer": ("Scorer", "an anomaly score of images, fitted on features of the training images"),
    "metric": ("Metric", "a figure of how well scores separate anomalies from inliers"),
    "observer": ("Observer", "what watches a run: logs it, or ends its training early"),
}


def check_kind(kind: str) -> None:
    """Check that there is such a kind.

    Raises:
        UserError: there is none; the message suggests the nearest and lists all.
    """
    if kind not in KINDS:
        raise UserError(
            f"no kind '{kind}'{did_you_mean(kind, KINDS)} (there is: {', '.join(KINDS)})"
        )


logger = logging.getLogger("adframe")


@dataclass
class Plugin:
    """A plugin: its name, version and origin, and the error if it did not load."""

    name: str
    version: str
    origin: str
    package: str = ""
    bundled: bool = False
    error: str | None = None
    owner: str = ""  #: its distribution; empty for a file

    @property
    def key(self) -> str:
        """Unique identifier: ``distribution:name``, or the path of its file."""
        return f"{self.owner}:{self.name}" if self.owner else self.origin

    @property
    def note(self) -> str:
        """Message for a plugin that did not load, with the reason."""
        return f"plugin '{self.name}' did not load: {self.error}"


@dataclass(frozen=True)
class Entry:
    """A registered component; ``target`` is the class, or an import string ``module:Class``."""

    kind: str
    name: str
    target: str | type
    plugin: Plugin = field(compare=False)
    default: bool = False

    @property
    def who(self) -> str:
        """Kind, name and plugin, for messages."""
        return f"{self.kind} '{self.name}' of plugin '{self.plugin.name}'"

    @property
    def qualified(self) -> str:
        """The name with that of the plugin: what a config may write if two plugins claim it."""
        return f"{self.plugin.name}:{self.name}"

    @property
    def written(self) -> str:
        """The name in the config of a run: that of a bundled component is plain."""
        return self.name if self.plugin.bundled else self.qualified

    def load(self) -> type:
        """Import the class.

        Raises:
            PluginFault: the import failed, or the target is not a class of this kind.
        """
        who, target = self.who, self.target
        if isinstance(target, str):
            try:
                with unchanged(who):
                    target = Point(self.name, target, "", "", self.kind).load()
            except BaseException as error:
                if stops(error):
                    raise
                text = f"{who} cannot be imported from {self.target}: {reason(error)}"
                raise PluginFault(text) from error
        base = getattr(importlib.import_module("adframe.interfaces"), KINDS[self.kind][0])
        if not (isinstance(target, type) and issubclass(target, base)):
            raise PluginFault(f"{who} is not a subclass of adframe.interfaces.{base.__name__}")
        if inspect.isabstract(target):
            lacking = ", ".join(sorted(target.__abstractmethods__))  # type: ignore[attr-defined]
            raise PluginFault(f"{who} does not implement {lacking}")
        if target.__hash__ is None:  # as of a dataclass; torch and the core compare by identity
            target.__hash__ = object.__hash__
        _ENTRIES[target] = self
        return target

    def summary(self) -> str:
        """First line of the docstring, read from the source without importing the class."""
        if not isinstance(self.target, str):
            return (self.target.__doc__ or "").strip().partition("\n")[0]
        module, _, attribute = self.target.partition(":")
        return summaries(module).get(attribute, "")


_ENTRIES: WeakKeyDictionary[type, Entry] = WeakKeyDictionary()  # of the classes loaded so far


def entry_of(component: object) -> Entry | None:
    """The entry that the class of a component was last loaded from."""
    return _ENTRIES.get(type(component))


def name_of(component: object) -> str:
    """Kind, name and plugin of a component; the name of its class if it is not registered."""
    entry = entry_of(component)
    return type(component).__qualname__ if entry is None else entry.who


def reason(error: BaseException) -> str:
    """Type of an exception and first line of its message, short enough to be part of a line."""
    text = f"{type(error).__name__}: {message(error).strip()}".partition("\n")[0].rstrip(": ")
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 3]}..."


def message(error: BaseException) -> str:
    """Message of an exception; of a plugin's exception that has none that can be shown, a note."""
    try:
        return str(error)
    except Exception:
        return "its message cannot be shown"


class Registry:
    """Components by kind and name; filled by ``registry.loading.load_plugins``."""

    def __init__(self) -> None:
        self.plugins: list[Plugin] = []
        self._entries: dict[tuple[str, str], list[Entry]] = {}

    def __iter__(self) -> Iterator[Entry]:
        """All entries, grouped by kind, including names that two plugins claim."""
        order = list(KINDS)
        for key in sorted(self._entries, key=lambda key: (order.index(key[0]), key[1])):
            yield from self._entries[key]

    def add(self, entry: Entry) -> None:
        """Add an entry. A name that two plugins claim is an error only when it is used."""
        if entry.kind not in KINDS:
            raise PluginFault(f"no kind '{entry.kind}'{did_you_mean(entry.kind, KINDS)}")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", entry.name):
            raise PluginFault(f"'{entry.name}' is not a component name; use lower_case_words")
        claims = self._entries.setdefault((entry.kind, entry.name), [])
        if any(claim.plugin is entry.plugin for claim in claims):
            raise PluginFault(f"registers {entry.kind} '{entry.name}' twice")
        claims.append(entry)

    def remove(self, plugin: Plugin) -> None:
        """Remove all components of a plugin."""
        for key, entries in list(self._entries.items()):
            self._entries[key] = [entry for entry in entries if entry.plugin is not plugin]
            if not self._entries[key]:
                del self._entries[key]

    def names(self, kind: str) -> list[str]:
        """Names of the components of a kind, sorted."""
        return sorted(name for of, name in self._entries if of == kind)

    def get(self, kind: str, name: str) -> Entry:
        """The entry of a kind and name.

        Args:
            kind: the kind.
            name: the name, or ``plugin:name`` or ``distribution:plugin:name``. If that plugin has
                it not, and only one other has, it is that one, with a warning.

        Raises:
            UnknownComponent: there is none; the message suggests the nearest name and lists the
                plugins that failed to load.
            UserError: there is no such kind, or two plugins claim the name.
        """
        check_kind(kind)
        plugin, _, plain = name.rpartition(":")
        entries = self._entries.get((kind, plain), [])
        if not entries:
            note = "".join(f" ({plugin.note})" for plugin in self.plugins if plugin.error)
            raise UnknownComponent(
                f"no {kind} named '{name}'{did_you_mean(plain, self.names(kind))}{note}"
            )
        named = [entry for entry in entries if plugin in (entry.plugin.name, entry.plugin.key)]
        if plugin and not named and len(entries) > 1:
            others = " or ".join(entry.qualified for entry in entries)
            raise UnknownComponent(f"no {kind} '{plain}' of a plugin '{plugin}'; write {others}")
        entry = _only(named or entries, f"{kind} '{name}'")
        if plugin and not named:
            logger.warning("plugin %s has no %s '%s'; that of %s is used",
                           plugin, kind, plain, entry.plugin.name)  # fmt: skip
        return entry

    def default(self, kind: str) -> Entry | None:
        """The entry used if a config names no component of the kind; None if there is none."""
        entries = [entry for entry in self if entry.kind == kind and entry.default]
        return _only(entries, f"the default {kind}") if entries else None


def _only(entries: list[Entry], what: str) -> Entry:
    if len(entries) > 1:
        claims = " and ".join(f"'{e.plugin.name}' ({e.plugin.origin})" for e in entries)
        others = [e.plugin for e in entries if not e.plugin.bundled] or [entries[-1].plugin]
        last = others[-1]  # leaving a bundled plugin out would lose all else that it has
        alike = sum(entry.plugin.name == last.name for entry in entries) > 1
        one = last.key if alike else last.name
        names = [f"{e.plugin.key}:{e.name}" if alike else e.qualified for e in entries]
        way = f"write {' or '.join(names)}, or exclude one with --without {shlex.quote(one)}"
        raise UserError(f"{what} is claimed by plugins {claims}; {way}")
    return entries[0]
