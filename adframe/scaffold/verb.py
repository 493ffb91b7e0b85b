"""``adframe new``: writes a new plugin from templates."""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import re
import shutil
import sys
import tempfile
from pathlib import Path

from adframe import scaffold
from adframe.errors import UserError, did_you_mean
from adframe.registry.loading import load_plugins

summary = "write a new plugin from templates"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare NAME, ``--kind`` and ``--single-file``."""
    parser.add_argument("name", metavar="NAME", help="of the plugin and of its components")
    parser.add_argument(
        "--kind", action="append", metavar="KIND", help="loss (the default), shift, scorer, ..."
    )
    parser.add_argument("--single-file", action="store_true", help="one file, for --plugin")


def run(arguments: argparse.Namespace) -> int:
    """Write a working plugin: a package, or one file with its config."""
    name = arguments.name
    kinds = list(dict.fromkeys(arguments.kind or ["loss"]))
    for kind in kinds:
        if kind not in scaffold.KINDS:
            hint = did_you_mean(kind, scaffold.KINDS)
            known = ", ".join(scaffold.KINDS)
            raise UserError(f"--kind {kind}: no template{hint} (kinds with a template: {known})")
    _check_name(name, kinds, arguments)
    if arguments.single_file:
        root = Path()
        files = {
            f"{name}.py": scaffold.single_file(name, kinds),
            f"{name}.yaml": scaffold.config(name, kinds),
        }
        command = f"adframe run {name}.yaml --plugin {name}.py"
    else:
        root = Path(name)
        files = scaffold.package(name, kinds)
        command = f"cd {name} && pip install -e . && pytest && adframe run config.yaml"
    for path in [root / file for file in files] if arguments.single_file else [root]:
        if path.exists() or path.is_symlink():
            raise UserError(f"{path}: already exists; nothing was overwritten")
    _write(root, files)
    for file in files:
        print(root / file)
    print(f"next: {command}")
    return 0


def _write(root: Path, files: dict[str, str]) -> None:
    """Write all files or none: writes to a temporary folder, then renames it."""
    aside = None
    try:
        aside = Path(tempfile.mkdtemp(prefix=".adframe-new-", dir="."))
        for file, text in files.items():
            (aside / file).parent.mkdir(parents=True, exist_ok=True)
            (aside / file).write_text(text, encoding="utf-8")
        if root == Path():
            for file in files:
                (aside / file).rename(file)
            aside.rmdir()
        else:
            aside.chmod(0o755)
            aside.rename(root)
    except OSError as error:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
        raise UserError(f"{root}: cannot be written: {error.strerror or error}") from error


def _check_name(name: str, kinds: list[str], arguments: argparse.Namespace) -> None:
    if not re.fullmatch(r"[a-z]([a-z0-9_]{,28}[a-z0-9])?", name) or name == "tests":
        wanted = re.sub(r"\W+", "_", name).strip("_").lower()
        hint = f"; did you mean '{wanted}'?" if wanted and wanted != name else ""
        raise UserError(f"'{name}' is not a valid plugin name: use lower_case_words{hint}")
    if keyword.iskeyword(name) or name in ("true", "false", "null"):
        raise UserError(f"'{name}' is a word of Python or YAML; choose another name")
    if name in sys.stdlib_module_names or importlib.util.find_spec(name):
        raise UserError(f"'{name}' is already the name of a module; choose another name")
    registry = load_plugins(arguments.plugin, arguments.without).registry
    for kind in kinds:
        if name in registry.names(kind):
            owner = registry.get(kind, name).plugin.name
            raise UserError(f"plugin '{owner}' has a {kind} '{name}'; choose another name")
