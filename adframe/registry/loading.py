"""Loads plugins from entry points and single files, and collects their components and hooks.

Each plugin is loaded separately. If one fails, the reason is recorded, its components are removed,
and the others still work. Bundled plugins are loaded in the same way as third-party plugins.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from adframe.errors import PluginFault, UserError, did_you_mean
from adframe.io.paths import why_no_file
from adframe.io.read import read_bytes
from adframe.registry import blame, hookspecs
from adframe.registry.contract import check_api, check_hooks
from adframe.registry.entry_points import entry_points, prints_to_stderr, stops
from adframe.registry.process_state import unchanged
from adframe.registry.registry import Entry, Plugin, Registry, name_of, reason

GROUP = "adframe"
MAX_FILE = 1 << 24  #: bytes of a one-file plugin


@dataclass
class Source:
    """A plugin that can be loaded; ``load`` returns the module or object with the hooks."""

    plugin: Plugin
    load: Callable[[], Any]


@dataclass
class LoadedPlugins:
    """Loaded plugins: their components and their hooks."""

    registry: Registry
    manager: pluggy.PluginManager
    without: list[str] = field(default_factory=list)  #: keys of the plugins that were excluded

    def __repr__(self) -> str:
        plugins, count = self.registry.plugins, sum(1 for _ in self.registry)
        broken = [plugin.name for plugin in plugins if plugin.error]
        lost = f"; did not load: {', '.join(broken)}" if broken else ""
        return f"LoadedPlugins({len(plugins)} plugins, {count} components{lost})"

    @property
    def hook(self) -> Any:
        """Calls a hook of every plugin: ``loaded.hook.adframe_epoch_end(run=run, epoch=3)``."""
        return self.manager.hook

    def attach(self, observer: object) -> None:
        """Call the hooks of an object from now on; raises as ``check_observer``."""
        self.check_observer(observer)
        self.manager.register(observer)

    def check_observer(self, observer: object) -> None:
        """Refuse an object whose hooks would not be called.

        Raises:
            PluginFault: it has a hook that is not marked, or that adframe does not have.
        """
        try:
            check_hooks(observer, self.manager)
        except PluginFault as fault:
            raise PluginFault(f"{name_of(observer)}: {fault}") from fault

    def detach(self, observer: object) -> None:
        """Call the hooks of an object no more."""
        self.manager.unregister(observer)

    def hooks(self, plugin: Plugin) -> list[str]:
        """Names of the hooks that a plugin implements, without ``adframe_register``."""
        module = self.manager.get_plugin(_id(plugin))
        callers = (self.manager.get_hookcallers(module) or []) if module else []
        return [caller.name for caller in callers if caller.name != "adframe_register"]


def excluded(loaded: LoadedPlugins) -> tuple[str, ...]:
    """Keys of the installed plugins that were not loaded."""
    keys = {plugin.key for plugin in loaded.registry.plugins}
    return tuple(one.plugin.key for one in installed() if one.plugin.key not in keys)


def installed() -> list[Source]:
    """Plugins of all entry points of the group ``adframe``, sorted by name. Imports nothing."""
    sources = []
    for point in entry_points(GROUP):
        plugin = Plugin(
            name=point.name,
            version=point.version,
            origin=f"{point.owner} ({point.value})",
            package=point.value.partition(":")[0].rpartition(".")[0],
            bundled=point.owner == "adframe",
            owner=point.owner,
        )
        sources.append(Source(plugin, point.load))
    return sources


def from_file(path: str | Path) -> Source:
    """One-file plugin, as for ``--plugin FILE.py``; its name is the name of the file.

    Raises:
        UserError: the file cannot be read, is too large, or is no regular file.
    """
    path = Path(path)
    code = read_bytes(path, MAX_FILE, f"plugin {path}")

    def load() -> ModuleType:
        digest = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:8]
        name = re.sub(r"\W", "_", f"adframe_file_{path.stem}_{digest}")
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise PluginFault("not a Python file")
        module = importlib.util.module_from_spec(spec)
        blame.remember(name, path.stem)
        sys.modules[name] = module  # dataclasses and pickle look up the module of a class by name
        try:
            exec(compile(code, path, "exec", dont_inherit=True), vars(module))  # noqa: S102
        except BaseException:
            del sys.modules[name]
            raise
        return module

    return Source(Plugin(name=path.stem, version="", origin=str(path)), load)


def load_plugins(
    files: Sequence[str | Path] = (),
    without: Iterable[str] = (),
    sources: Sequence[Source] | None = None,
) -> LoadedPlugins:
    """Load plugins one by one and collect their components and hooks.

    Args:
        files: one-file plugins, loaded after the installed ones, each once.
        without: names of plugins to exclude; ``distribution:name`` if two have the same name.
        sources: plugins to load in place of the installed ones.

    Raises:
        UserError: a file is missing or does not load, or a name in ``without`` fits no plugin or
            several.
    """
    sources = [*(installed() if sources is None else sources)]
    for path in files:
        if reason := why_no_file(path):
            raise UserError(f"plugin {path}: {reason}")
    files = list({os.path.realpath(path): path for path in files}.values())
    sources += [from_file(path) for path in files]
    left_out = {_left_out(name, [source.plugin for source in sources]) for name in without}

    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    loaded = LoadedPlugins(Registry(), manager, sorted(left_out))
    for source in sources:
        if source.plugin.key not in left_out:
            plugin = replace(source.plugin)  # an error of this call must not stay for the next
            loaded.registry.plugins.append(plugin)
            _load(plugin, source.load, loaded)
    named = {str(path) for path in files}
    for plugin in loaded.registry.plugins:
        if plugin.error and plugin.origin in named:
            raise UserError(f"plugin {plugin.origin}: {plugin.error}")
    return loaded


def _left_out(name: str, plugins: list[Plugin]) -> str:
    """Key of the plugin that ``--without`` names."""
    keys = [plugin.key for plugin in plugins if name in (plugin.name, plugin.key)]
    if not keys:
        hint = did_you_mean(name, [plugin.name for plugin in plugins])
        raise UserError(f"--without {name}: no such plugin{hint}")
    if len(keys) > 1:
        raise UserError(f"--without {name}: {len(keys)} plugins; write {' or '.join(keys)}")
    return keys[0]


def _id(plugin: Plugin) -> str:
    """Unique name for the plugin manager; two plugins may have the same name."""
    return f"{plugin.origin}#{plugin.name}"


def _load(plugin: Plugin, load: Callable[[], Any], loaded: LoadedPlugins) -> None:
    manager = loaded.manager
    name = _id(plugin)
    try:
        if plugin.package:
            blame.remember(plugin.package, plugin.name)
        with unchanged(f"plugin '{plugin.name}'"), prints_to_stderr():
            module = load()
        plugin.package = plugin.package or getattr(module, "__package__", None) or ""
        blame.remember(plugin.package or getattr(module, "__name__", ""), plugin.name)
        check_api(module)
        check_hooks(module, manager)
        for other, known in manager.list_name_plugin():
            if known is module:
                raise PluginFault(f"is the same module as plugin '{other.rpartition('#')[2]}'")
        manager.register(module, name)
        others = [other for other in manager.get_plugins() if other is not module]
        register = manager.subset_hook_caller("adframe_register", others)
        with prints_to_stderr():
            register(add=_adder(plugin, loaded.registry))
    except BaseException as error:
        if stops(error):
            raise
        plugin.error = str(error) if isinstance(error, PluginFault) else reason(error)
        loaded.registry.remove(plugin)
        if manager.has_plugin(name):
            manager.unregister(name=name)


def _adder(plugin: Plugin, registry: Registry) -> hookspecs.Add:
    def add(kind: str, name: str, target: str | type, *, default: bool = False) -> None:
        if isinstance(target, str):
            if not re.fullmatch(r"\.?\w+(\.\w+)*:\w+", target):
                raise PluginFault(f"'{target}' is not an import string; write 'module:Class'")
            if target.startswith(".") and not plugin.package:
                raise PluginFault(f"'{target}' is relative, but the plugin is not a package")
            target = plugin.package + target if target.startswith(".") else target
        registry.add(Entry(kind, name, target, plugin, default))

    return add
