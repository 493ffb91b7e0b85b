"""The source of modules, read without importing them."""

from __future__ import annotations

import ast
import importlib.util
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from adframe.registry.entry_points import prints_to_stderr, stops


def summaries(module: str) -> dict[str, str]:
    """Class -> first line of its docstring, for the classes of a module; empty if unreadable."""
    return {
        name: (ast.get_docstring(node) or "").partition("\n")[0]
        for name, node in _classes(module).items()
    }


def options_in_source(target: str | type) -> list[str] | None:
    """Options of the constructor that a class, ``module:Class``, writes itself.

    Returns:
        None if they must be imported: it is inherited, decorated, or passes options on.
    """
    if not isinstance(target, str):
        return None
    module, _, name = target.partition(":")
    node = _classes(module).get(name)
    if node is None or node.decorator_list or node.keywords:
        return None
    made = [each for each in node.body if getattr(each, "name", "") == "__init__"]
    if len(made) != 1 or not isinstance(made[0], ast.FunctionDef) or made[0].decorator_list:
        return None
    given = made[0].args
    if given.vararg or given.kwarg or given.posonlyargs or not given.args:
        return None
    return [each.arg for each in (*given.args[1:], *given.kwonlyargs)]


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    """Classes of a module by name; empty if its source cannot be read."""
    try:
        with prints_to_stderr():  # a package may be imported to find the module
            code = ast.parse(module_source(module))
    except BaseException as error:  # a listing omits modules that cannot be read
        if stops(error):
            raise
        return {}
    return {node.name: node for node in code.body if isinstance(node, ast.ClassDef)}


def module_source(module: str) -> bytes:
    """Source of a module, found without importing its packages if they are plain folders."""
    root, *parts = module.split(".")
    spec = getattr(sys.modules.get(root), "__spec__", None) or importlib.util.find_spec(root)
    for folder in (spec and spec.submodule_search_locations) or ():
        with suppress(OSError), open(f"{folder}/{'/'.join(parts)}.py", "rb") as file:
            return file.read()
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).read_bytes() if spec and spec.origin else b""
