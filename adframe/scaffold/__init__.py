"""Templates of new plugins: a package or a single file.

Only the templates name bundled components; the code does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from string import Template

#: Kinds that have a template.
KINDS = (
    "loss", "shift", "scorer", "schedule", "backbone", "augmentation", "dataset",
    "method", "optimizer", "observer", "metric",
)  # fmt: skip

_STANDARD = ("collections", "functools", "math", "typing")  # modules that templates import
WIDTH = 88  # columns, the default of ruff


def _text(file: str) -> str:
    return (resources.files(__name__) / "templates" / file).read_text(encoding="utf-8")


def _stem(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def package(name: str, kinds: Sequence[str]) -> dict[str, str]:
    """The files of an installable package: path -> text."""
    adds = [_add(kind, name, f'".{kind}:{_stem(name)}{kind.capitalize()}"') for kind in kinds]
    values = {
        "name": name,
        "dist": name.replace("_", "-"),
        "stem": _stem(name),
        "kind": kinds[0],
        "list": ", ".join(f"{kind} `{name}`" for kind in kinds),
        "summary": f"An adframe plugin: {', '.join(kinds)}",
        "adds": "\n".join(adds),
        "given": _given(name) if "dataset" in kinds else "",
    }
    files = {
        "README.md": "README.md",
        "pyproject.toml": "pyproject.toml",
        f"{name}/plugin.py": "plugin.py",
        **{f"{name}/{kind}.py": f"{kind}.py" for kind in kinds},
        f"tests/test_{name}.py": "test.py",
    }
    made = {path: Template(_text(f"{file}.tmpl")).substitute(values)
            for path, file in files.items()}  # fmt: skip
    docs = f'"""The adframe plugin {name}."""\n'
    return {**made, f"{name}/__init__.py": docs, "config.yaml": config(name, kinds)}


def _add(kind: str, name: str, target: str) -> str:
    """The line that registers a component, formatted as by ruff."""
    line = f'    add("{kind}", "{name}", {target})'
    if len(line) <= WIDTH:
        return line
    inner = f'"{kind}", "{name}", {target}'
    if len(inner) + 8 <= WIDTH:
        return f"    add(\n        {inner}\n    )"
    return "    add(\n        " + inner.replace(", ", ",\n        ") + ",\n    )"


def _given(name: str) -> str:
    """The required option of the template data set, as in the config."""
    return f'\n    ("dataset", "{name}"): {json.dumps({"of": _choice("dataset")[0]})},\n'


def _choice(kind: str) -> list[str]:
    choice: list[str] = json.loads(_text("choices.json"))[kind]
    return choice


def config(name: str, kinds: Sequence[str]) -> str:
    """A config that runs the new components together with bundled ones."""
    values = {kind: Template(_choice(kind)[kind in kinds]).substitute(name=name) for kind in KINDS}
    text = Template(_text("config.yaml.tmpl")).substitute(values, name=name)
    if "method" in kinds and "shift" not in kinds:  # the method of the template ignores shifts
        text = re.sub("^shifts: .*\n", "", text, flags=re.M)
    return text


def single_file(name: str, kinds: Sequence[str]) -> str:
    """The text of a one-file plugin with the new components, for ``--plugin``."""
    imports, bodies = [("adframe", "Add"), ("adframe", "hookimpl")], []
    for kind in kinds:
        text = Template(_text(f"{kind}.py.tmpl")).substitute(stem=_stem(name))
        head, _, body = text.partition("\n\n\n")
        head = re.sub(r"\(([^)]*)\)", lambda found: " ".join(found[1].split()).rstrip(","), head)
        bodies.append(body.rstrip("\n"))
        for line in head.splitlines()[1:]:
            module, _, names = line.removeprefix("from ").partition(" import ")
            imports += [(module, part) for part in names.split(", ") if names]
            imports += [(line, "")] if line.startswith("import ") else []
    adds = [_add(kind, name, _stem(name) + kind.capitalize()) for kind in kinds]
    plugin = Template(_text("plugin.py.tmpl")).substitute(name=name, adds="\n".join(adds))
    _, marker, hook = plugin.partition("adframe_api")
    api, _, hook = (marker + hook).partition("\n\n\n")
    docs = f'"""The adframe plugin {name} in a single file."""'
    head = f"{docs}\n\n{_sorted(imports)}\n\n{api}"
    return "\n\n\n".join([head, *bodies, hook.rstrip("\n")]) + "\n"


def _sorted(imports: Iterable[tuple[str, str]]) -> str:
    """Import lines in ruff's order: first the standard library, then the rest."""
    names: dict[str, set[str]] = {}
    for module, name in imports:
        names.setdefault(module, set()).add(name)

    def place(module: str) -> tuple[bool, bool, str]:
        plain = module.startswith("import ")
        root = module.removeprefix("import ").partition(".")[0]
        return root not in _STANDARD, not plain, module

    lines: list[str] = []
    third_party = False
    for module in sorted(names, key=place):
        if place(module)[0] and not third_party:
            third_party = True
            lines += [""] if lines else []
        if module.startswith("import "):
            lines.append(module)
            continue
        ordered = sorted(
            names[module], key=lambda name: (name[0].islower() and len(name) > 1, name)
        )
        line = f"from {module} import {', '.join(ordered)}"
        if len(line) > WIDTH:
            inner = "".join(f"    {name},\n" for name in ordered)
            line = f"from {module} import (\n{inner})"
        lines.append(line)
    return "\n".join(lines)
