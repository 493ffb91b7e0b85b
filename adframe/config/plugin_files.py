"""Loads the plugins of a config: the installed ones, given files, and those it names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from adframe.config.where import located
from adframe.config.yaml_tree import ConfigNode
from adframe.errors import KeyPath, Problem
from adframe.io.paths import AnyPath, why_no_file
from adframe.registry.loading import LoadedPlugins, load_plugins


def plugin_files(node: ConfigNode, plugins: Sequence[AnyPath]) -> dict[str, KeyPath | None]:
    """Absolute paths of one-file plugins -> where the config names each, or None for given ones.

    Args:
        node: the composed config.
        plugins: files given besides the config. One takes the place of a file of that name which
            the config names and which is gone.
    """
    given = [os.path.realpath(file) for file in plugins]
    moved = {os.path.basename(file) for file in given}
    listed = node.value.get("plugins")
    items = listed.value if listed is not None and isinstance(listed.value, list) else []
    files: dict[str, KeyPath | None] = dict.fromkeys(given)
    for index, item in enumerate(items):
        if isinstance(item.value, str):  # validation reports other values
            file = os.path.realpath(item.value)
            if os.path.isfile(file) or os.path.basename(file) not in moved:
                files.setdefault(file, ("plugins", index))
    return files


def load_plugins_of(
    node: ConfigNode, plugins: Sequence[AnyPath], without: Iterable[str], allow_code: bool
) -> LoadedPlugins:
    """Load the installed plugins, and those of ``plugin_files``.

    Raises:
        ConfigError: a file that the config names is missing, or needs ``allow_code``.
        UserError: a plugin is unknown or cannot be loaded.
    """
    files = plugin_files(node, plugins)
    problems = []
    for file, path in files.items():
        if path is None:
            continue
        if reason := why_no_file(file):
            problems.append(Problem(path, f"{reason}: {file}"))
        elif not allow_code:
            problems.append(Problem(path, f"would run {file}; pass --allow-code if you trust it"))
    if problems:
        raise located(problems, node)
    return load_plugins(list(files), without)
