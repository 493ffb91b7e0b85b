"""Imports inside adframe run one way: a room imports only rooms named before it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: A room is a module or a folder of adframe/. Imports under TYPE_CHECKING count as any other.
ROOMS = [
    "errors", "_version", "random", "parallel", "ops", "io", "data", "interfaces", "registry",
    "config", "engine", "detector", "sklearn", "start", "reports", "testing", "scaffold", "jobs",
    "shards", "tables", "tune", "cli", "__main__",
]  # fmt: skip
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "adframe").rglob("*.py"))
}


def imported(code: str) -> Iterator[str]:
    """Modules of adframe that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "the core imports by full name"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in FILES else str(node.module)


GRAPH = {
    name: {to for to in imported(path.read_text(encoding="utf-8")) if to in FILES and to != name}
    for name, path in FILES.items()
    if name != "adframe"  # the public face: imported by users, named by no file of adframe
}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Circles of imports, each once."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> None:
        if node in path:
            found.append([*path[path.index(node) :], node])
        elif node not in done:
            for other in sorted(graph.get(node, ())):
                visit(other, [*path, node])
            done.add(node)

    for node in graph:
        visit(node, [])
    return found


def test_every_file_belongs_to_a_room():
    assert {name.split(".")[1] for name in GRAPH} == set(ROOMS)


@pytest.mark.parametrize("name", GRAPH)
def test_a_room_imports_only_rooms_named_before_it(name):
    room = name.split(".")[1]
    below = ROOMS[: ROOMS.index(room) + 1]
    up = {to for to in GRAPH[name] - {"adframe"} if to.split(".")[1] not in below}
    assert not up, f"{name} imports {sorted(up)}"


def test_no_file_imports_the_public_face():
    assert [name for name, imports in GRAPH.items() if "adframe" in imports] == []


def test_there_is_no_circle():
    assert circles(GRAPH) == []


def files_of(package: Path) -> dict[str, set[str]]:
    """The files of a plugin, and which of them each imports; plugins import theirs relatively."""
    names = {path.stem for path in package.glob("*.py")}

    def own(code: str) -> Iterator[str]:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                yield from [node.module] if node.module else [alias.name for alias in node.names]

    return {
        path.stem: {to.partition(".")[0] for to in own(path.read_text())} & names
        for path in sorted(package.glob("*.py"))
    }


@pytest.mark.parametrize("package", sorted((ROOT / "plugins").glob("adframe_*")), ids=str)
def test_no_plugin_imports_in_a_circle(package):
    graph = files_of(package)
    assert circles(graph) == []
    assert "__init__" not in graph or not any("__init__" in to for to in graph.values())


def test_a_circle_and_a_hidden_import_would_be_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c", "a"]]
    code = "if True:\n    from adframe.engine import train\ndef f():\n    import adframe"
    assert set(imported(code)) == {"adframe.engine.train", "adframe"}
