"""The source of modules, read without importing them."""

from __future__ import annotations

import ast
import importlib.util
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from adframe.registry.entry_points import prints_to_stderr, stops


@cache
def summaries(module: str) -> dict[str, str]:
    """Class -> first line of its docstring, for the classes of a module; empty if unreadable."""
    try:
        with prints_to_stderr():  # a package may be imported to find the module
            code = ast.parse(module_source(module))
    except BaseException as error:  # a listing omits modules that cannot be read
        if stops(error):
            raise
        return {}
    classes = [node for node in code.body if isinstance(node, ast.ClassDef)]
    return {node.name: (ast.get_docstring(node) or "").partition("\n")[0] for node in classes}


def module_source(module: str) -> bytes:
    """Source of a module, found without importing its packages if they are plain folders."""
    root, *parts = module.split(".")
    spec = getattr(sys.modules.get(root), "__spec__", None) or importlib.util.find_spec(root)
    for folder in (spec and spec.submodule_search_locations) or ():
        with suppress(OSError), open(f"{folder}/{'/'.join(parts)}.py", "rb") as file:
            return file.read()
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).read_bytes() if spec and spec.origin else b""
