"""Lists the public surface of adframe, one item a line.

``tests/public_surface.txt`` holds the list, and ``tests/test_public_surface.py`` fails when the two
differ. docs/versioning.md states what is promised of each item. After an intended change, write the
list again and describe the change in CHANGELOG.md:

    python tools/public_surface.py --update
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import importlib.util
import inspect
import json
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

import adframe
from adframe.config.model import RunConfig

# Everything that this file needs of the core and that is not public itself.
from adframe.config.schema import model_of, schema_of
from adframe.registry.hookspecs import API, names
from adframe.registry.loading import load_plugins
from adframe.registry.registry import KINDS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FILE = ROOT / "tests/public_surface.txt"
UPDATE = "python tools/public_surface.py --update"
MODULES = [
    "adframe", "adframe.interfaces", "adframe.jobs", "adframe.ops", "adframe.sklearn",
    "adframe.testing",
]  # fmt: skip


def _public_names(module: ModuleType) -> list[str]:
    """Names in ``__all__``; without it, names defined or imported as ``name as name``."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    found = set()
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names if alias.asname == alias.name}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return sorted(name for name in found if not name.startswith("_"))


def _arguments(function: Any) -> str:
    """Signature such as ``(config, out=, *, plugins=)``: names, order, and default values."""
    words, star = [], False
    for name, parameter in inspect.signature(function).parameters.items():
        if name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            words.append("*")
            star = True
        if parameter.kind is parameter.VAR_POSITIONAL:
            star = True
        prefix = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        prefix = "**" if parameter.kind is parameter.VAR_KEYWORD else prefix
        default = "" if parameter.default is parameter.empty else "="
        words.append(prefix + name + default)
    return f"({', '.join(words)})"


def _members(cls: type) -> Iterator[str]:
    """Fields, attributes and methods that a class itself declares."""
    if dataclasses.is_dataclass(cls):
        yield from (f".{field.name}" for field in dataclasses.fields(cls) if field.name[0] != "_")
    declared = inspect.get_annotations(cls)
    for name in sorted({*vars(cls), *declared}):
        value = inspect.getattr_static(cls, name, None)
        if name.startswith("_") and name not in ("__call__", "__getitem__", "__len__"):
            continue
        if isinstance(value, classmethod | staticmethod):
            yield f".{name}{_arguments(value.__func__)}"
        elif inspect.isfunction(value):
            yield f".{name}{_arguments(value)}"
        elif not dataclasses.is_dataclass(cls) or isinstance(value, property):
            yield f".{name}"


def _exports() -> Iterator[str]:
    for module_name in MODULES:
        if importlib.util.find_spec(module_name) is None:
            continue
        module = importlib.import_module(module_name)
        for name in _public_names(module):
            value, at = getattr(module, name), f"export {module_name}.{name}"
            yield at + (_arguments(value) if inspect.isfunction(value) else "")
            if inspect.isclass(value) and value.__module__.startswith("adframe"):
                yield from (at + member for member in _members(value))


def _keys(schema: dict[str, Any], definitions: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, option in schema.get("properties", {}).items():
        default = f" = {json.dumps(option['default'])}" if "default" in option else ""
        yield f"config {path}{name}{default}"
        for part in [option, option.get("items", {}), *option.get("anyOf", [])]:
            if "$ref" in part:
                nested = definitions[part["$ref"].rpartition("/")[2]]
                yield from _keys(nested, definitions, f"{path}{name}.")


def _configs() -> Iterator[str]:
    schema = schema_of(RunConfig)
    yield from _keys(schema, schema.get("$defs", {}))


def _components() -> Iterator[str]:
    yield from (f"kind {kind}: {base}" for kind, (base, _) in KINDS.items())
    for entry in load_plugins().registry:
        if entry.plugin.bundled:
            default = " [default]" if entry.default else ""
            options = ", ".join(model_of(entry.load()).model_fields)
            yield f"component {entry.kind} {entry.name}({options}){default}"


def _command_line() -> Iterator[str]:
    parser = importlib.import_module("adframe.cli.main")._parser()
    yield from _options("adframe", parser)
    (verbs,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for verb, command in verbs.choices.items():
        yield f"verb {verb}"
        yield from _options(verb, command)


def _options(verb: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
            continue
        required = "" if action.option_strings or action.nargs != "?" else " (optional)"
        words = action.option_strings or [str(action.metavar or action.dest)]
        takes = f" {action.metavar}" if action.option_strings and action.metavar else ""
        yield f"option {verb} {', '.join(words)}{takes}{required}"


def _extension_points() -> Iterator[str]:
    yield f"plugin API {API}"
    yield from (f"hook {name}{_arguments(hook)}" for name, hook in names().items())
    yield from (f"entry-point group {group}" for group in PROJECT["entry-points"])
    yield from (f"script {name}" for name in PROJECT["scripts"])


def _run_folder() -> Iterator[str]:
    """The files of a finished run, and the keys or columns of those that people read."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        noise = np.random.default_rng(0)
        for name, count in {"good": 6, "bad": 4}.items():
            (folder / "images" / name).mkdir(parents=True)
            for index in range(count):
                pixels = noise.integers(0, 255, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / "images" / name / f"{index}.png")
        config = folder / "tiny.yaml"
        config.write_text(
            f"extends: {ROOT}/configs/base/unicon_ha.yaml\n"
            f"dataset: {{name: image_folder, root: {folder}/images, normal: good}}\n"
            "backbone: {width: 0.0625}\n"
            "scorer: {views: 1}\n"
            "train: {epochs: 1, batch_size: 4, device: cpu}\n",
            encoding="utf-8",
        )
        adframe.run(adframe.load_config(config), out=folder / "run")
        for path in sorted((folder / "run").iterdir()):
            yield f"run folder {path.name}"
            if path.suffix == ".json" and path.stem != "state":  # of which only the name is stable
                keys = json.loads(path.read_text(encoding="utf-8"))
                yield from (f"run folder {path.name}: {key}" for key in keys)
            elif path.suffix == ".csv":
                columns = path.read_text(encoding="utf-8").partition("\n")[0].strip().split(",")
                yield from (f"run folder {path.name}: {column}" for column in columns)
            elif path.suffix == ".jsonl":
                line = json.loads(path.read_text(encoding="utf-8").partition("\n")[0])
                yield from (f"run folder {path.name}: {key}" for key in line)


def surface() -> list[str]:
    """Every public item, sorted."""
    parts = [_exports, _components, _configs, _command_line, _extension_points, _run_folder]
    return sorted({item for part in parts for item in part()})


def frozen() -> list[str]:
    """Read the items that the file lists."""
    return FILE.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        raise SystemExit(f"usage: {UPDATE}")
    FILE.write_text("\n".join(surface()) + "\n", encoding="utf-8")
    print(f"{FILE}: {len(frozen())} items")
