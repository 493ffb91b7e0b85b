"""Plain English and standard terms: forbidden words and old names appear nowhere.

A forbidden word is found as a whole word, in docstrings, strings, comments and pages. ``ALLOWED``
lists legitimate uses with the text around them.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Words of no field, idioms, and code described as a person that speaks.
FORBIDDEN = [
    "anew", "beside", "in any company", "laid upon", "told", "tells?", "says?", "asks?",
    "of (?:one's|its|their|his) own", "looks? at", "takes? up", "go(?:es)? on", "going on",
    "strangers?", "made of", "whatever", "be at it", "by hand",
    r"lea(?:ves?|ving) (?:\w+ ){0,2}out", "left out",
]  # fmt: skip
#: File -> texts in which a forbidden word is used in its ordinary sense.
ALLOWED: dict[str, list[str]] = {}
#: Names that were replaced (see the table in CHANGELOG.md). No identifier has one of them.
OLD_NAMES = {
    "Draws", "by_content", "Look", "look_at", "Parts", "Dims", "Objective", "Lazy", "Chosen",
    "ImageFiles", "undecoded", "Keeper", "keeper", "keeping", "step_done", "Watch", "Fault",
    "Node", "Spec", "DEFAULT", "Host", "host", "revive", "_tell", "_take_up", "Note", "FEW",
    "ROWS", "FLOATS", "MOST_PIXELS", "supclr", "tilt", "faithful",
}  # fmt: skip
#: Old names of functions that are ordinary words. The package defines no function of these names.
OLD_FUNCTIONS = {
    "choose", "feed", "blocks", "onto", "fork", "held", "whole", "spread", "collapse", "earlier",
    "look", "shifted", "before",
}  # fmt: skip
PARTS = ["adframe", "plugins", "examples", "benchmarks", "tools", "docs"]
CODE = sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))
PAGES = sorted(
    [*(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    + [*(ROOT / "examples").rglob("*.ipynb"), *(ROOT / "benchmarks").rglob("*.md")]
    + [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
    + [*(ROOT / "configs").rglob("*.yaml"), *(ROOT / "adframe").rglob("*.tmpl")]
)


def texts(path: Path) -> Iterator[str]:
    """Strings and comments of a Python file, or the text of another file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield re.sub(r"\s+", " ", text)
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\s+", " ", node.value)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def descriptions() -> Iterator[str]:
    """Module docstrings of all tests."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        yield ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def forbidden(text: str) -> list[str]:
    """Forbidden words in a text, each with the text around it."""
    pattern = rf"(?<![\w'-])(?:{'|'.join(FORBIDDEN)})(?![\w-])"
    return [
        text[max(0, match.start() - 30) : match.end() + 30]
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]


def identifiers(code: str) -> Iterator[str]:
    """Names that a Python file defines, uses or imports, parts of module names too."""
    for node in ast.walk(ast.parse(code)):
        for field in ("id", "attr", "name", "arg", "asname", "module"):
            word = getattr(node, field, None)
            if isinstance(word, str):
                yield from word.split(".")


def functions(code: str) -> Iterator[str]:
    """Names of the functions, methods and classes that a Python file defines."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", [*CODE, *PAGES], ids=_relative)
def test_no_forbidden_word_is_used(path: Path) -> None:
    allowed = ALLOWED.get(_relative(path), ())
    found = [use for text in texts(path) for use in forbidden(text)]
    assert not [use for use in found if not any(text in use for text in allowed)]


def test_no_forbidden_word_is_used_in_a_description_of_tests() -> None:
    assert not [use for text in descriptions() for use in forbidden(" ".join(text.split()))]


@pytest.mark.parametrize("path", CODE, ids=_relative)
def test_no_old_name_is_used(path: Path) -> None:
    code = path.read_text(encoding="utf-8")
    assert not OLD_NAMES.intersection(identifiers(code))
    if path.is_relative_to(ROOT / "adframe"):
        assert not OLD_FUNCTIONS.intersection(functions(code))


@pytest.mark.parametrize(
    "text",
    ["The config says so.", "It is made anew.", "Leave the option out.", "each of its own",
     "A scorer asks for views."],
)  # fmt: skip
def test_a_forbidden_word_is_found(text: str) -> None:
    assert len(forbidden(text)) == 1


def test_an_old_name_is_found() -> None:
    code = "from adframe.data.undecoded import x\ndef f(host): return host.keeper\nclass held: ..."
    assert set(identifiers(code)) & OLD_NAMES == {"undecoded", "host", "keeper"}
    assert set(functions(code)) & OLD_FUNCTIONS == {"held"}
