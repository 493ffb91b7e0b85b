"""Bundled components have no privilege: copies in single files give the same results."""

import ast
import importlib.util
import json
from pathlib import Path

import torch
from pydantic import BaseModel

import adframe
from adframe.config.model import RunConfig, load_config
from adframe.registry.registry import KINDS

REGISTER = """

from adframe import hookimpl

@hookimpl
def adframe_register(add):
    add("{kind}", "{name}", {target})
"""


def alone(module: str, seen: set[str]) -> list[ast.stmt]:
    """The statements of a module with those of its own package that it imports before them."""
    spec = importlib.util.find_spec(module)
    body = []
    for statement in ast.parse(Path(spec.origin).read_text()).body:
        if isinstance(statement, ast.ImportFrom) and statement.level:
            other = f"{spec.parent}.{statement.module}"
            if other not in seen:
                seen.add(other)
                body += alone(other, seen)
        elif not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__"):
            body.append(statement)
    return body


def copies(config: RunConfig, folder: Path) -> tuple[dict, list[Path]]:
    """The config with every component under another name, and the files that bring them."""
    files: dict[str, Path] = {}

    def copy(spec):
        module, _, target = spec.entry.target.partition(":")
        name = f"my_{spec.entry.name}"
        path = files.setdefault(name, folder / f"{name}.py")
        code = ast.unparse(ast.Module(alone(module, {module}), []))
        register = REGISTER.format(kind=spec.entry.kind, name=name, target=target)
        path.write_text(f"from __future__ import annotations\n{code}\n{register}")
        options = {key: plain(value) for key, value in spec.options.items()}
        return {"name": name, **options}

    def plain(value):
        if hasattr(value, "entry"):
            return copy(value)
        if isinstance(value, BaseModel):
            return {name: plain(item) for name, item in value}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    table = {name: plain(getattr(config, name)) for name in RunConfig.model_fields}
    return table, list(files.values())


def test_a_run_of_copies_is_the_same_run(toy, tmp_path):
    config = toy(
        "train.epochs=1", "shifts=[rotation]", "metrics=[average_precision]", "observers=[text_log]"
    )
    table, files = copies(config, tmp_path)
    path = tmp_path / "copy.yaml"
    path.write_text(json.dumps(table))
    copied = load_config(path, plugins=files)
    mine = [entry for entry in copied.loaded.registry if entry.name.startswith("my_")]
    assert {entry.kind for entry in mine} == set(KINDS)

    ours, theirs = adframe.run(config), adframe.run(copied)
    for one, other in zip(ours.outcomes.values(), theirs.outcomes.values(), strict=True):
        for expected, found in zip(one.scores.values(), other.scores.values(), strict=True):
            assert torch.equal(found, expected)
    assert copied.backbone.entry.load().__module__.startswith("adframe_file_")
