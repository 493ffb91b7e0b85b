"""The source of modules, read without importing them."""

from __future__ import annotations

import ast
import importlib.util
import sys
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
    """Options of the constructor of a class, ``module:Class``, and of those that it passes on.

    Returns:
        None if they must be imported: the constructor is decorated, or a name in its source leads
        nowhere.
    """
    if not isinstance(target, str):
        return None
    module, _, name = target.partition(":")
    try:
        return _options(module, name)
    except RecursionError:  # modules that import from each other
        return None


def _options(module: str, name: str) -> list[str] | None:
    place, node = _definition(module, name)
    if node is None or node.decorator_list or node.keywords:
        return None
    made = [each for each in node.body if _may_construct(each)]
    if not made and len(node.bases) == 1 and isinstance(node.bases[0], ast.Name):
        return _options(place, node.bases[0].id)
    if len(made) != 1 or not isinstance(made[0], ast.FunctionDef) or made[0].decorator_list:
        return None
    given = made[0].args
    if given.vararg or given.posonlyargs or not given.args:
        return None
    passed = _keys_of(place, given.kwarg.annotation) if given.kwarg else []
    own = [each.arg for each in (*given.args[1:], *given.kwonlyargs)]
    return None if passed is None else own + passed


def _may_construct(node: ast.stmt) -> bool:
    """Whether a statement of a class may define ``__init__``."""
    name = getattr(node, "name", None)
    return "__init__" in ast.unparse(node) if name is None else name == "__init__"


def _keys_of(module: str, annotation: ast.expr | None) -> list[str] | None:
    """Keys of ``Unpack[SomeTypedDict]``."""
    if not isinstance(annotation, ast.Subscript) or not isinstance(annotation.slice, ast.Name):
        return None
    unpacks = ast.unparse(annotation.value).rpartition(".")[2] == "Unpack"
    return _keys(module, annotation.slice.id) if unpacks else None


def _keys(module: str, name: str) -> list[str] | None:
    if name == "TypedDict":
        return []
    place, node = _definition(module, name)
    if node is None or not node.bases:
        return None
    found: list[str] = []
    for base in node.bases:
        more = _keys(place, base.id) if isinstance(base, ast.Name) else None
        if more is None:
            return None
        found += more
    for each in node.body:
        if isinstance(each, ast.AnnAssign):
            found.append(ast.unparse(each.target))
        elif not isinstance(each, ast.Expr | ast.Pass):  # fields under a condition
            return None
    return found


def _definition(module: str, name: str, most: int = 8) -> tuple[str, ast.ClassDef | None]:
    """Where a class of this name in a module is defined, after at most so many imports of it.

    None if the module binds the name more than once, or may change its constructor later.
    """
    if not _is_plain(module, name):
        return module, None
    if name in _classes(module):
        return module, _classes(module)[name]
    imports = (node for node in _parsed(module).body if isinstance(node, ast.ImportFrom))
    for node in imports if most else ():
        for each in node.names:
            if name == (each.asname or each.name):
                return _definition(_imported(module, node), each.name, most - 1)
    return module, None


def _is_plain(module: str, name: str) -> bool:
    """Whether a module binds a name exactly once and sets no attribute ``__init__`` of a class."""
    bound = 0
    for node in ast.walk(_parsed(module)):
        if isinstance(node, ast.Attribute) and node.attr == "__init__":
            if not isinstance(node.ctx, ast.Load):
                return False
        elif isinstance(node, ast.Name):
            if node.id in ("setattr", "exec"):
                return False
            bound += node.id == name and not isinstance(node.ctx, ast.Load)
        elif isinstance(node, ast.alias):
            bound += (node.asname or node.name) in (name, "*")
        else:
            bound += getattr(node, "name", None) == name
    return bound == 1


def _imported(module: str, node: ast.ImportFrom) -> str:
    """The module that is imported from; without a name if it lies above the package."""
    if not node.level:
        return node.module or ""
    package = module.split(".")
    package = package[: len(package) - node.level + _is_package(module)]
    return ".".join([*package, *([node.module] if node.module else [])])


def _classes(module: str) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in _parsed(module).body if isinstance(node, ast.ClassDef)}


@cache
def _parsed(module: str) -> ast.Module:
    """A module; without statements if its source cannot be read."""
    try:
        with prints_to_stderr():
            return ast.parse(module_source(module))
    except BaseException as error:  # a listing omits modules that cannot be read
        if stops(error):
            raise
        return ast.Module([], [])


def module_source(module: str) -> bytes:
    """Source of a module, found without importing its packages; empty if there is none."""
    place = _place(module)
    return place.read_bytes() if place else b""


def _is_package(module: str) -> bool:
    """Whether a module is the ``__init__.py`` of a folder."""
    place = _place(module)
    return place is not None and place.name == "__init__.py"


def _place(module: str) -> Path | None:
    root, *parts = module.split(".")
    spec = getattr(sys.modules.get(root), "__spec__", None) or importlib.util.find_spec(root)
    if not parts:
        return Path(spec.origin) if spec and spec.origin else None
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder, *parts)
        for place in (file / "__init__.py", file.with_suffix(".py")):
            if place.is_file():
                return place
    return None
