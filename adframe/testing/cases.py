"""Lists the checks of plugins and components as test cases."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import SkipTest

from adframe import interfaces
from adframe.errors import PluginFault
from adframe.registry.loading import Source, from_file, installed, load_plugins
from adframe.registry.registry import KINDS, Entry, Plugin, Registry
from adframe.testing import (
    datasets,
    images,
    losses,
    methods,
    metrics,
    observers,
    options,
    scorers,
    training,
)
from adframe.testing.subject import Subject

Check = Callable[[Subject], None]


def _checks(module: ModuleType) -> list[Check]:
    """The contract checks of a module: its public functions, in the order of the file."""
    return [
        function
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    ]


def _named(module: ModuleType, prefix: str) -> list[Check]:
    return [check for check in _checks(module) if check.__name__.startswith(prefix)]


#: Kind -> its checks, each a function of a ``Subject`` that raises AssertionError.
CHECKS: dict[str, list[Check]] = {
    "dataset": _checks(datasets),
    "backbone": _named(images, "backbone_"),
    "shift": _named(images, "shift_"),
    "augmentation": _named(images, "augmentation_"),
    "schedule": _named(training, "schedule_"),
    "loss": _checks(losses),
    "method": _checks(methods),
    "optimizer": _named(training, "optimizer_"),
    "scorer": _checks(scorers),
    "metric": _checks(metrics),
    "observer": _checks(observers),
}
_SCHEMA = _checks(options)


@dataclass(frozen=True)
class Case:
    """One check of one component; call it to run the check."""

    subject: Subject
    check: Check

    def __str__(self) -> str:
        return f"{self.subject}-{self.check.__name__}"

    def __call__(self) -> None:
        """Run the check.

        Raises:
            AssertionError: the component fails.
            unittest.SkipTest: the check cannot be made.
        """
        __tracebackhide__ = True
        self.check(self.subject)


def cases(
    of: type | ModuleType | Registry | str | Path,
    given: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    image_size: int = 16,
) -> list[Case]:
    """All checks of all components.

    Args:
        of: the class of a component, the module of a plugin (the one with ``adframe_register``),
            the path of a one-file plugin, or a registry.
        given: (kind, name) -> options to test a component with; its defaults by default. The name
            of a class is ``component``. An option with a fixed choice is tested with each value.
        image_size: side in pixels of the images that methods are tested with.

    Raises:
        AssertionError: the plugin does not load.
    """
    entries, registry = _entries(of)
    found = []
    for entry in entries:
        options = (given or {}).get((entry.kind, entry.name), {})
        first = Subject(entry, registry, options, image_size=image_size)
        found += [Case(first, check) for check in _SCHEMA]
        try:
            subjects = list(first.variants())
        except PluginFault:  # reported by the checks of its schema
            continue
        found += [Case(subject, check) for subject in subjects for check in CHECKS[entry.kind]]
    return found


def check(component: type, **options: Any) -> None:
    """Run all checks of a component class.

    Raises:
        AssertionError: the component fails a check.
        unittest.SkipTest: no check fails, but one cannot be made.
    """
    entries, registry = _entries(component)
    subject = Subject(entries[0], registry, options)
    skipped = []
    for function in [*_SCHEMA, *CHECKS[subject.entry.kind]]:
        try:
            function(subject)
        except SkipTest as reason:
            skipped.append(reason)
    if skipped:
        raise skipped[0]


def _entries(of: Any) -> tuple[list[Entry], Registry]:
    if isinstance(of, Registry):
        return list(of), of
    if isinstance(of, type):
        test = Plugin("test", "", "a test")
        return [Entry(_kind(of), "component", of, test)], load_plugins().registry
    source = _source(of)
    package = source.plugin.package
    others = [s for s in installed() if not package or s.plugin.package != package]
    loaded = load_plugins(sources=[*others, source])
    (plugin,) = [p for p in loaded.registry.plugins if p.origin == source.plugin.origin]
    assert plugin.error is None, f"plugin '{plugin.name}' does not load: {plugin.error}"
    return [entry for entry in loaded.registry if entry.plugin is plugin], loaded.registry


def _source(of: ModuleType | str | Path) -> Source:
    if not isinstance(of, ModuleType):
        return from_file(of)
    package = of.__package__ or ""
    name = of.__name__
    return Source(Plugin(name, "", f"module {name}", package), lambda: of)


def _kind(component: type) -> str:
    for kind, (base, _) in KINDS.items():
        if issubclass(component, getattr(interfaces, base)):
            return kind
    raise AssertionError(f"{component.__qualname__} subclasses no class of adframe.interfaces")
