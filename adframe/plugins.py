"""From entry points and one-file plugins to a registry and the hooks of one call.

Each plugin is loaded by itself: one that breaks is recorded with its reason and loses its
components, and everything else goes on. Bundled plugins come the same way as strangers'.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from adframe import hookspecs
from adframe.errors import PluginFault, UserError, did_you_mean
from adframe.registry import Entry, Plugin, Registry, reason

GROUP = "adframe"


@dataclass
class Source:
    """Where a plugin can be loaded from; ``load`` returns the module or object with the hooks."""

    plugin: Plugin
    load: Callable[[], Any]


@dataclass
class Host:
    """The plugins of one call: what they offer, and their hooks."""

    registry: Registry
    manager: pluggy.PluginManager

    @property
    def hook(self) -> Any:
        """Call a hook of every plugin: ``host.hook.adframe_epoch_end(run=run, epoch=3)``."""
        return self.manager.hook


def installed() -> list[Source]:
    """Every entry point of the group ``adframe``, by name, nothing imported yet."""
    sources = []
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda p: p.name):
        dist = point.dist
        owner = dist.name if dist else ""
        plugin = Plugin(
            name=point.name,
            version=dist.version if dist else "",
            origin=f"{owner} ({point.value})",
            package=point.module.rpartition(".")[0],
            bundled=owner == "adframe",
        )
        sources.append(Source(plugin, point.load))
    return sources


def from_file(path: str | Path) -> Source:
    """A one-file plugin, ``--plugin FILE.py``; it is called after the file."""
    path = Path(path)

    def load() -> ModuleType:
        digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
        name = re.sub(r"\W", "_", f"adframe_file_{path.stem}_{digest}")
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise PluginFault("not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses and pickle look a class's module up by name
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    return Source(Plugin(name=path.stem, version="", origin=str(path)), load)


def load_plugins(
    files: Sequence[str | Path] = (),
    without: Iterable[str] = (),
    sources: Sequence[Source] | None = None,
) -> Host:
    """Load plugins one by one and collect what they register.

    Args:
        files: one-file plugins, loaded after the installed ones, each once. One that cannot be
            loaded is the user's error, since they named it.
        without: names of plugins to leave out.
        sources: what to load in place of the installed entry points.

    Raises:
        UserError: a named file is missing or does not load, or ``without`` names no plugin.
    """
    sources = [*(installed() if sources is None else sources)]
    files = list({Path(path).resolve(): path for path in files}.values())
    for path in files:
        if not Path(path).is_file():
            raise UserError(f"plugin {path}: no such file")
        sources.append(from_file(path))
    left_out = set(without)
    known = [source.plugin.name for source in sources]
    for name in sorted(left_out - set(known)):
        raise UserError(f"--without {name}: no such plugin{did_you_mean(name, known)}")

    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    host = Host(Registry(), manager)
    for source in sources:
        if source.plugin.name not in left_out:
            plugin = replace(source.plugin)  # what breaks in this call is nothing to the next
            host.registry.plugins.append(plugin)
            _load(plugin, source.load, host)
    named = {str(path) for path in files}
    for plugin in host.registry.plugins:
        if plugin.error and plugin.origin in named:
            raise UserError(f"plugin {plugin.origin}: {plugin.error}")
    return host


def _load(plugin: Plugin, load: Callable[[], Any], host: Host) -> None:
    manager = host.manager
    # The name alone may be taken by a stranger's plugin.
    name = f"{plugin.origin}#{plugin.name}"
    try:
        module = load()
        plugin.package = plugin.package or getattr(module, "__package__", None) or ""
        _check_marks(module, manager)
        manager.register(module, name)
        for caller in manager.get_hookcallers(module) or []:
            if not caller.has_spec():
                hint = did_you_mean(caller.name, hookspecs.names())
                raise PluginFault(f"adframe has no hook '{caller.name}'{hint}")
        others = [other for other in manager.get_plugins() if other is not module]
        register = manager.subset_hook_caller("adframe_register", others)
        register(add=_adder(plugin, host.registry))
    except (Exception, SystemExit) as error:
        plugin.error = str(error) if isinstance(error, PluginFault) else reason(error)
        host.registry.remove(plugin)
        if manager.has_plugin(name):
            manager.unregister(name=name)


def _check_marks(module: Any, manager: pluggy.PluginManager) -> None:
    """A hook without its mark would be passed over in silence."""
    for name, _ in inspect.getmembers(module, inspect.isroutine):
        if name in hookspecs.names() and not manager.parse_hookimpl_opts(module, name):
            raise PluginFault(f"'{name}' is not marked @hookimpl")


def _adder(plugin: Plugin, registry: Registry) -> hookspecs.Add:
    def add(kind: str, name: str, target: str | type, *, default: bool = False) -> None:
        if isinstance(target, str):
            if not re.fullmatch(r"\.?\w+(\.\w+)*:\w+", target):
                raise PluginFault(f"'{target}' is no import string: write 'module:Class'")
            if target.startswith(".") and not plugin.package:
                raise PluginFault(f"'{target}' is relative, but the plugin is no package")
            target = plugin.package + target if target.startswith(".") else target
        registry.add(Entry(kind, name, target, plugin, default))

    return add
