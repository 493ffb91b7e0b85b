"""Names on the pages exist: components, classes, config keys, files and functions."""

import ast
import builtins
import importlib
import re
import runpy
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

import adframe
from adframe import interfaces, ops
from adframe.config.describe import SECTIONS, describe, describe_section
from adframe.config.model import RunConfig
from adframe.registry.registry import KINDS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    page for room in ("concepts", "how-to", "decisions") for page in (DOCS / room).glob("*.md")
)
FOLDERS = "adframe", "plugins", "configs", "docs", "tests", "benchmarks", "examples", "tools"
PATH = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./-]*\w")
NAME = re.compile(r"[A-Za-z_]\w*(?:\.-?\w+)*")
CAMEL = re.compile(r"[A-Z][A-Z0-9]*[a-z]\w*[A-Z]\w*|[A-Z][a-z]+")


def spans(text: str) -> set[str]:
    """The inline code of a page, calls without their arguments."""
    prose = re.sub(r"^ *```.*?^ *```$|<!--.*?-->", "", text, flags=re.DOTALL | re.MULTILINE)
    return {re.sub(r"\(.*\)$", "", span) for span in re.findall(r"`([^`\n]+)`", prose)}


CODE = [file for folder in ("adframe", "plugins") for file in (ROOT / folder).rglob("*.py")]
CONFIGS = list((ROOT / "configs").rglob("*.yaml"))


@cache
def source() -> str:
    """The text of the code and of the configs, and the names of the configs."""
    files = [*CODE, *CONFIGS, *(ROOT / "adframe").rglob("*.tmpl")]
    names = [config.stem for config in CONFIGS]
    return "\n".join([*(file.read_text(encoding="utf-8") for file in files), *names])


@cache
def defined(path: Path) -> set[str]:
    """Functions and classes of a file, methods as ``Class.method``."""
    kinds = ast.FunctionDef, ast.ClassDef
    top = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, kinds)]
    inside = [
        f"{node.name}.{child.name}"
        for node in top
        if isinstance(node, ast.ClassDef)
        for child in node.body
        if isinstance(child, kinds)
    ]
    return {node.name for node in top} | set(inside)


def in_python(name: str) -> bool:
    """Whether a name is an attribute of a public module, or of a module that can be imported."""
    first, *rest = name.split(".")
    for module in (adframe, interfaces, ops, builtins):
        with suppress(AttributeError):
            value = getattr(module, first)
            for part in rest:
                annotated = getattr(value, "__annotations__", {})
                value = annotated[part] if part in annotated else getattr(value, part)
            return True
    for length in range(len(rest), 0, -1) if rest else ():
        with suppress(ImportError, AttributeError, ValueError):
            value = importlib.import_module(".".join([first, *rest][:length]))
            for part in [first, *rest][length:]:
                value = getattr(value, part)
            return True
    return False


def is_key(name: str, registry) -> bool:
    """Whether a dotted name is a key of a config, each part of it known."""
    keys = set(RunConfig.model_fields)
    first, *rest = name.split(".")
    for section in SECTIONS:
        keys |= {key["name"] for key in describe_section(section, registry)["keys"]}
    if first not in (*RunConfig.model_fields, *KINDS):
        return False
    kinds = {"outliers": "dataset", "exposure": "dataset", "shifts": "shift"}
    kinds = {kinds.get(part, part) for part in name.split(".")} & {*KINDS}
    kinds |= {"augmentation"} & set(rest)
    if "objective" in name:
        kinds.add("loss")
    for entry in registry:
        if entry.kind in kinds and entry.plugin.bundled:
            keys |= {option["name"] for option in describe(entry, registry)["options"]}
    return all(part in keys or re.fullmatch(r"-?\d+|N", part) for part in rest)


def unknown(text: str, registry) -> list[str]:
    """Names of a page that are nowhere."""
    missing = []
    for span in sorted(spans(text)):
        if PATH.fullmatch(span.removesuffix("/*")):
            found = any(ROOT.glob(span))
        elif not NAME.fullmatch(span):
            continue
        elif "." in span:
            written = re.search(rf"(?<![\w.]){re.escape(span)}(?!\w)", source())
            shown = re.search(r"\.(yaml|yml|py|md|toml|json|csv|jpe?g|png)$", span)
            method = any(span in defined(file) for file in CODE)
            found = shown or written or method or is_key(span, registry) or in_python(span)
        elif CAMEL.fullmatch(span) or "_" in span:
            found = in_python(span) or re.search(rf"\b{span}\b", source())
        else:
            continue
        if not found:
            missing.append(span)
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_the_names_of_a_page_exist(page, loaded):
    assert unknown(page.read_text(encoding="utf-8"), loaded.registry) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("`RandomKeys`, `Loss.reads`, `train.epochs`, `scorer.0.views`, `adframe.ops`", []),
        ("`NoSuchClass`", ["NoSuchClass"]),
        ("`Loss.no_such_attribute`", ["Loss.no_such_attribute"]),
        ("`train.no_such_key`", ["train.no_such_key"]),
        ("`no_such_component`", ["no_such_component"]),
        ("`adframe.ops.no_such_function`", ["adframe.ops.no_such_function"]),
        ("`adframe/no_such_file.py`", ["adframe/no_such_file.py"]),
        ("```python\nNoSuchClass\n```\n`a plain phrase`", []),
    ],
)
def test_a_name_that_does_not_exist_is_noticed(text, names, loaded):
    assert unknown(text, loaded.registry) == names


STRUCTURE = (DOCS / "concepts/structure.md").read_text(encoding="utf-8")


ROWS = re.findall(r"^\| (.+) \| `(\S+\.py)` \| `(\S+)` \|$", STRUCTURE, re.MULTILINE)


@pytest.mark.parametrize(("what", "file", "name"), ROWS, ids=[row[0] for row in ROWS])
def test_what_the_map_names_is_there(what, file, name):
    assert name in defined(ROOT / file)


def test_the_map_leaves_no_row_out():
    lines = [line for line in STRUCTURE.splitlines() if line.count("|") == 4]
    assert len(lines) == len(ROWS) + 4  # two tables, each with a head and a rule
    assert sum(row[0].startswith(("where", "which")) for row in ROWS) >= 20


def test_the_map_names_the_rooms_in_their_order():
    rooms = runpy.run_path(str(ROOT / "tests/test_rooms.py"))["ROOMS"]
    (table,) = re.findall(r"^\| Room \|.*?\n\n", STRUCTURE, re.DOTALL | re.MULTILINE)
    assert re.findall(r"^\| `adframe/(\w+)(?:\.py)?` \|", table, re.MULTILINE) == rooms


def test_the_glossary_holds_every_kind_and_every_word_that_the_overview_marks():
    text = (DOCS / "concepts/glossary.md").read_text(encoding="utf-8")
    heads = re.findall(r"^\*\*(.+)\*\*$", text, re.MULTILINE)
    terms = {term.strip().lower() for head in heads for term in head.split(",")}
    overview = (DOCS / "concepts/overview.md").read_text(encoding="utf-8")
    marked = set(re.findall(r"(?<![*\w])\*([a-z][a-z ]+)\*(?!\*)", overview)) - {"italics", "i"}
    assert "virtual outliers" in marked
    kinds = {kind.replace("dataset", "data set") for kind in KINDS}
    assert {word for word in marked | kinds if not {word, word.removesuffix("s")} & terms} == set()
