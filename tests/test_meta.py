"""Rules of the project, checked over all files."""

import ast
import importlib.metadata
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from adframe.registry.registry import KINDS

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "adframe").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
PACKAGES = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py"))
TOOLS = {"dev", "docs", "bench", "examples", "serve"}  # extras that no part of adframe imports
#: Names of components that are words of the language too, where they stand for something else.
WORDS = {"uniform", "compose", "gaussian_blur", "best_f1"}  # best_f1: a rule of decisions


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imports(path: Path) -> Iterator[str]:
    """Absolute modules a file imports, as ``module`` or ``module.name``."""
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _strings(tree: ast.Module) -> Iterator[str]:
    """Every string of a file, docstrings apart."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def _identifiers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        for field in ("id", "attr", "name", "arg", "asname"):
            word = getattr(node, field, None)
            if isinstance(word, str):
                yield word


def _words(path: Path) -> set[str]:
    tree = _parse(path)
    return {*_strings(tree), *_identifiers(tree)}


def test_the_files_are_found():
    assert len(CORE) > 15
    assert len(PLUGINS) > 15
    found = {path.parent.name for path in PLUGINS if path.name in ("plugin.py", "executor.py")}
    assert set(PACKAGES) == found


def test_what_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    used = [line for name in extras.keys() - TOOLS for line in extras[name]]
    lines = [*project["dependencies"], *used]
    declared = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in lines}
    modules = {"pil": "pillow", "sklearn": "scikit-learn", "skimage": "scikit-image",
               "faiss": "faiss-cpu", "ruamel": "ruamel.yaml",
               "mlflow": "mlflow-skinny"}  # fmt: skip
    imported = {name.partition(".")[0] for path in [*CORE, *PLUGINS] for name in _imports(path)}
    foreign = {
        name for name in imported - sys.stdlib_module_names if not name.startswith("adframe")
    }
    needed = {modules.get(name.lower(), name.lower().replace("_", "-")) for name in foreign}
    assert needed <= declared, f"imported and not declared: {sorted(needed - declared)}"


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_the_core_imports_no_plugin(path):
    roots = {name.partition(".")[0] for name in _imports(path)}
    assert not roots & set(PACKAGES)
    assert not any(root.startswith("adframe_") for root in roots)


def test_the_core_knows_no_component_by_name(loaded):
    names = {entry.name for entry in loaded.registry} - WORDS
    classes = {str(entry.target).rpartition(":")[2] for entry in loaded.registry}
    assert {"uniclr", "rotation", "contrastive"} <= names
    assert {"UniCLR", "Rotation", "Contrastive"} <= classes
    found = {path.name: _words(path) & (names | classes) for path in CORE}
    assert not {name: words for name, words in found.items() if words}


def test_a_component_named_in_code_would_be_found(tmp_path):
    path = tmp_path / "x.py"
    path.write_text('"""uniclr"""\ndef f(x):\n    "uniclr"\n    # uniclr\n    return x')
    assert "uniclr" not in _words(path)
    for code in ["x == 'uniclr'", "x.uniclr", "uniclr(x)", "f(uniclr=1)", "from a import uniclr"]:
        path.write_text(code)
        assert "uniclr" in _words(path)


#: Packages that hold components of one kind, which several methods use. All others but the console
#: hold what one paper brings.
BY_KIND = {f"adframe_{kind}{'es' if kind[-1] == 's' else 's'}" for kind in KINDS}


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_plugin_imports_only_what_is_public(path):
    """Its own package aside, the package of a paper may also use the packages by kind."""
    own = path.relative_to(ROOT / "plugins").parts[0]
    usable = {own} if own in BY_KIND else {own, *BY_KIND}
    for name in _imports(path):
        root, _, rest = name.partition(".")
        if root == "adframe":
            module = rest.partition(".")[0]
            assert module in ("interfaces", "jobs", "ops") or module in _public(), f"{path}: {name}"
        elif root.startswith("adframe_"):
            assert root in usable, f"{path}: {name}"


def test_a_package_by_kind_holds_that_kind_only(loaded):
    assert set(PACKAGES) >= BY_KIND
    for entry in loaded.registry:
        package = entry.target.partition(".")[0]
        if package in BY_KIND:
            assert package.startswith(f"adframe_{entry.kind}"), entry


def _public() -> list[str]:
    import adframe

    return adframe.__all__


@pytest.mark.parametrize("path", [path for path in PLUGINS if path.name == "plugin.py"],
                         ids=lambda path: path.parent.name)  # fmt: skip
def test_what_lists_a_plugin_is_named_after_it_and_imports_next_to_nothing(path):
    heavy = {"torch", "pydantic", "numpy", "torchvision", "sklearn", "PIL", "rich"}
    assert not heavy & {name.partition(".")[0] for name in _imports(path)}


def test_no_file_is_long():
    lengths = {str(p): len(p.read_text(encoding="utf-8").splitlines()) for p in CORE + PLUGINS}
    assert {name: length for name, length in lengths.items() if length > 250} == {}


def test_entry_points_are_those_of_pyproject():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    points = importlib.metadata.distribution("adframe").entry_points
    installed = {point.name: point.value for point in points if point.group == "adframe"}
    assert installed == declared["adframe"]
    files = {f"{path.parent.name}.plugin" for path in PLUGINS if path.name == "plugin.py"}
    assert set(installed.values()) == files


def test_every_bundled_plugin_loads_and_every_kind_has_a_component(loaded):
    assert [plugin for plugin in loaded.registry.plugins if plugin.error] == []
    assert {entry.kind for entry in loaded.registry} == set(KINDS)


def test_every_module_is_imported_without_a_warning():
    """In one process. Each can come first, too: no file imports in a circle (test_rooms)."""
    names = ["adframe", *PACKAGES]
    roots = [(name, ROOT if name == "adframe" else ROOT / "plugins") for name in names]
    modules = [
        module.name
        for name, root in roots
        for module in pkgutil.walk_packages([str(root / name)], f"{name}.")
    ]
    assert len(modules) > 30
    code = f"""
import importlib, warnings
import pluggy, pydantic, ruamel.yaml, safetensors.torch, sklearn.metrics, torch, torchvision
for name in {[*names, *modules]}:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            importlib.import_module(name)
        except Exception as error:
            raise SystemExit(f"{{name}}: {{type(error).__name__}}: {{error}}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
