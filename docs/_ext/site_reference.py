"""Writes the parts of the reference that the code knows best, when the site is built.

A page marks the place with a comment, ``<!-- generated: config -->``; Markdown replaces it. What
has no page of the site is shown without a link: the rest of the repository is not part of it.

``python docs/_ext/site_reference.py config`` prints such a part.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.pycode import ModuleAnalyzer

DOCS = Path(__file__).resolve().parents[1]
MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
LINK = re.compile(r"\[([^\]\[]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", _escape, priority=100)
    return {"parallel_read_safe": True}


def _read(app: Any, page: str, source: list[str]) -> None:
    text = MARK.sub(lambda found: PARTS[found[1]](), source[0])
    source[0] = LINK.sub(lambda link: _link(link, (DOCS / page).parent), text)


def _link(link: re.Match[str], folder: Path) -> str:
    """The link as it is, or its text alone where it leaves the site."""
    target = (folder / link[2]).resolve()
    return link[0] if target.is_relative_to(DOCS) else link[1]


def _escape(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Keep a shape such as ``(N, *shape)`` from being read as emphasis."""
    lines[:] = [re.sub(r"(?<![\w`*\\])\*(?=\w)", r"\\*", line) for line in lines]


# --- configs ------------------------------------------------------------------------------------


def config() -> str:
    """Every key of a config: those at the top, then the sections."""
    from adframe.config.describe import SECTIONS, describe_section
    from adframe.registry.loading import load_plugins

    registry = load_plugins().registry
    lines: list[str] = []
    for section in SECTIONS:
        facts = describe_section(section, registry)
        title = "Keys at the top" if section == "config" else f"`{section}`"
        lines += [f"(config-{section})=", f"## {title}", "", _markdown(facts["summary"]), ""]
        prefix = {"config": "", "objective": "objective.N."}.get(section, f"{section}.")
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        for key in facts["keys"]:
            row = f"`{prefix}{key['name']}`", _type(key), _default(key, registry), key["doc"]
            lines.append(_row(*row))
        lines.append("")
    return "\n".join(lines)


def _type(option: dict[str, Any]) -> str:
    """The type, a kind or section linked to where it is described."""
    from adframe.config.describe import SECTIONS
    from adframe.registry.registry import KINDS

    def linked(word: re.Match[str]) -> str:
        name = "objective" if word[0] == "term" else word[0]
        if name in KINDS:
            return f"[{word[0]}](components.md#kind-{name})"
        return f"[{word[0]}](config.md#config-{name})" if name in SECTIONS else word[0]

    if option["type"].startswith("one of "):
        values = option["type"].removeprefix("one of ").split(", ")
        return "one of " + ", ".join(f"`{value}`" for value in values)
    return re.sub(r"[a-z]+", linked, option["type"])


def _default(option: dict[str, Any], registry: Any) -> str:
    if option["required"]:
        return "**required**"
    if option["default"] == "the kind's default":
        kind = option["schema"].get("x-adframe-kind") or "scorer"
        entry = registry.default(kind)
        return f"[`{entry.name}`](components.md#{kind}-{entry.name})"
    return f"`{json.dumps(option['default'])}`"


# --- components ---------------------------------------------------------------------------------


def components() -> str:
    """Every component, by kind, with its options."""
    from adframe.config.describe import describe
    from adframe.registry.loading import load_plugins
    from adframe.registry.registry import KINDS

    registry = load_plugins().registry
    lines: list[str] = []
    for kind, (_, what) in KINDS.items():
        entries = [entry for entry in registry if entry.kind == kind and entry.plugin.bundled]
        names = ", ".join(f"[`{entry.name}`](#{kind}-{entry.name})" for entry in entries)
        lines += [
            f"(kind-{kind})=",
            f"## {kind}",
            "",
            f"{what[0].upper()}{what[1:]}.",
            "",
            names,
            "",
        ]
        for entry in entries:
            lines += _component(describe(entry, registry), entry.default, registry)
    return "\n".join(lines)


def _component(facts: dict[str, Any], default: bool, registry: Any) -> Iterator[str]:
    yield f"({facts['kind']}-{facts['name']})="
    yield f"### {facts['name']}"
    mark = ", the default of its kind" if default else ""
    yield from ["", f"{_markdown(facts['summary'])} *(plugin `{facts['plugin']}`{mark})*", ""]
    if facts["text"]:
        yield from [_markdown(facts["text"]), ""]
    if not facts["options"]:
        yield from ["No options.", ""]
        return
    yield "| option | type | default | source | meaning |"
    yield "|---|---|---|---|---|"
    for option in facts["options"]:
        yield _row(
            f"`{option['name']}`",
            _type(option),
            _default(option, registry),
            option["provenance"],
            option["doc"],
        )
    yield from ["", "```yaml", facts["example"].rstrip("\n"), "```", ""]


# --- command line -------------------------------------------------------------------------------


def cli() -> str:
    """Every command with its arguments."""
    from adframe.cli.main import _parser

    (commands,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    lines: list[str] = []
    for name, parser in commands.choices.items():
        summary = parser.description or ""
        lines += [f"(cli-{name})=", f"## `adframe {name}`", "", f"{_sentence(summary)}", ""]
        usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
        lines += ["```text", textwrap.fill(usage, 88, subsequent_indent="    "), "```", ""]
        lines += ["| argument | meaning |", "|---|---|"]
        for action in parser._actions:
            shown = " ".join(action.option_strings[-1:]) or str(action.metavar or action.dest)
            if action.option_strings and action.nargs != 0:
                shown += f" {action.metavar or action.dest.upper()}"
            meaning = (action.help or "").replace("%(default)s", str(action.default))
            lines.append(_row(f"`{shown}`", re.sub(r"(?<![\w`-])--[a-z-]+", r"`\g<0>`", meaning)))
        lines.append("")
    return "\n".join(lines)


# --- hooks --------------------------------------------------------------------------------------


def hooks() -> str:
    """Every hook with its arguments and what it promises."""
    from adframe.registry import hookspecs

    lines: list[str] = []
    for name, hook in hookspecs.names().items():
        lines += [f"(hook-{name})=", f"## {name}", ""]
        lines += ["```python", f"def {name}{_signature(hook)}", "```", ""]
        lines += [_markdown(inspect.getdoc(hook) or ""), ""]
    add = inspect.getdoc(hookspecs.Add.__call__) or ""
    signature = _signature(hookspecs.Add.__call__).replace("(self, ", "(")
    lines += ["## The callback add", "", "```python", f"def add{signature}", "```", ""]
    return "\n".join([*lines, _markdown(add), ""])


# --- Python ---------------------------------------------------------------------------------------


def interfaces() -> str:
    """Base classes of components, and what passes between them."""
    return _module("adframe.interfaces")


def jobs() -> str:
    """Executors of runs."""
    return _module("adframe.jobs")


def ops() -> str:
    """Operations that plugins share."""
    return _module("adframe.ops")


def testing() -> str:
    """The contract kit."""
    return _module("adframe.testing")


def _module(name: str) -> str:
    """A module's docstring, and its names in the order of the file."""
    module = importlib.import_module(name)
    lines = ["```{eval-rst}", f".. automodule:: {name}", "   :no-members:", ""]
    values = []
    for key in public(module):
        value = getattr(module, key)
        if inspect.isclass(value) or inspect.isfunction(value):
            directive = "autoclass" if inspect.isclass(value) else "autofunction"
            lines.append(f".. {directive}:: {name}.{key}")
        else:
            meaning = _comment(name, key) if isinstance(value, dict) else f"`{_alias(value)}`"
            values.append(_row(f"`{key}`", meaning))
    lines += ["```", ""]
    if values:
        lines += ["| name | stands for |", "|---|---|", *values, ""]
    return "\n".join(lines)


def public(module: Any) -> list[str]:
    """The names a module offers: those it lists, or those it re-exports from adframe."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    source = ast.parse(inspect.getsource(module))
    imported = [node for node in source.body if isinstance(node, ast.ImportFrom)]
    return [
        alias.asname
        for node in imported
        for alias in node.names
        if alias.asname == alias.name and (node.module or "").startswith("adframe")
    ]


def _comment(package: str, name: str) -> str:
    """The ``#:`` comment of a value, from the module of the package that defines it."""
    modules = [module for module in sorted(sys.modules) if module.startswith(package)]
    found = (ModuleAnalyzer.for_module(module).find_attr_docs() for module in modules)
    return " ".join(next(docs["", name] for docs in found if ("", name) in docs)).strip()


def _alias(value: Any) -> str:
    """A type alias as code, without the modules of its parts."""
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", str(value))


# --- helpers ------------------------------------------------------------------------------------


def _markdown(docstring: str) -> str:
    """A docstring's double backquotes as Markdown has them."""
    return re.sub(r"``(.+?)``", r"`\1`", docstring)


def _signature(function: Any) -> str:
    """With annotations as they are written."""
    return str(inspect.signature(function)).replace("'", "")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")


def _row(*cells: str) -> str:
    return "| " + " | ".join(_markdown(cell).replace("|", "\\|") for cell in cells) + " |"


PARTS = {
    part.__name__: part for part in (config, components, cli, hooks, interfaces, jobs, ops, testing)
}

if __name__ == "__main__":
    print(PARTS[sys.argv[1]]())
