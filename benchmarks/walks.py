"""Traces calls through the package: files visited, moves between files, returns.

    python benchmarks/walks.py [--moves] [--lines] [--json]

Three commands run on toy data, each in a fresh process, with every Python call traced:
``adframe run`` (the quickstart, one epoch, a narrow network), ``adframe score`` (one image, with
that run's detector) and ``adframe reproduce`` (one cell of a table on the bundled faces). The
package measured is the one that ``import adframe`` finds, in any layout.

Counted are functions of the package and of installed plugins. What runs while a module is imported
is not counted: its body, its class bodies, and all that these call. The caller of a function is the
nearest counted function below it on the stack; other packages' functions are looked through. A
thread is called by the function that started it.

- visited: files of the package of which a function ran.
- moves: pairs of files (A, B) where a function of B was called from A. A pair counts once, however
  often the call is made, so that neither epochs nor batches change the figure. A return is no move.
- call sites: lines of A from which such calls are made, summed over the pairs.
- ways back: moves into a file that another move, or the start of the command, has entered before:
  a reader who follows the program comes back to a file that was left. 0 means that every file is
  entered from one other file.
- upward: moves into a file that waits on the stack for this very call to end. A subset of the ways
  back; a callback makes one, a circle of files as well.
- plugin files; into, out of plugins: plugins' files visited, and moves from a file of the package
  into one of a plugin, and the other way. The other columns exclude plugins.

All are properties of the set of calls, so the order of calls and of threads does not change them.
The second line of each command is the same walk between rooms: a room is a folder of the package,
or a file that lies in none.

``--lines`` counts lines of source instead: without blank lines, comments and docstrings, and
without the packages built on top (tables, testing, scaffold).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.metadata
import importlib.util
import io
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
from PIL import Image

import adframe

PACKAGE = Path(adframe.__file__).parent
ON_TOP = ("tables", "testing", "scaffold")
NARROW = ["train.epochs=1", "train.device=cpu", "backbone.width=0.0625", "scorer.views=2"]
COMMANDS = {
    "run": [
        "run", str(PACKAGE / "configs/quickstart.yaml"), "--out", "toy",
        *(f"--set={setting}" for setting in NARROW),
    ],
    "score": ["score", "toy", "image.png"],
    "reproduce": ["reproduce", "table6", "--budget", "smoke", "--only", "9", "--out", "table"],
}  # fmt: skip

#: Files on the stack, nearest first; the line in the nearest; the file that is called.
Call = tuple[tuple[str, ...], int, str]


class Walk:
    """Profile function that records which file calls which.

    Args:
        bottom: the function that starts the walk; what lies below it on the stack is not counted.
        roots: the folders of the packages that count.
    """

    def __init__(self, bottom: CodeType, roots: Iterable[Path]) -> None:
        self.calls: dict[Call, None] = {}  # a set in order of first occurrence
        self._bottom, self._roots = bottom, list(roots)
        self._names: dict[str, str | None] = {}

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Record a call, unless it is part of an import."""
        if event == "call" and (file := self._name(frame.f_code)) is not None:
            stack = self.stack(frame)
            if stack is not None:
                files = tuple(name for name, _ in itertools.groupby(name for name, _ in stack[1:]))
                self.calls[files, stack[1][1] if files else 0, file] = None

    def stack(self, frame: FrameType) -> list[tuple[str, int]] | None:
        """File and line of counted functions on the stack of a frame; None during an import."""
        found: list[tuple[str, int]] = []
        at: FrameType | None = frame
        while at is not None and at.f_code is not self._bottom:
            if at.f_code.co_name == "<module>":
                return None
            if (name := self._name(at.f_code)) is not None:
                found.append((name, at.f_lineno))
            at = at.f_back
        return found if at else [*found, *getattr(threading.current_thread(), "started_by", ())]

    def _name(self, code: CodeType) -> str | None:
        path = code.co_filename
        if path not in self._names:
            around = (root.parent for root in self._roots if Path(path).is_relative_to(root))
            folder = next(around, None)
            self._names[path] = folder and Path(path).relative_to(folder).as_posix()
        return self._names[path]


@contextlib.contextmanager
def profiled(walk: Walk) -> Any:
    """Record in a walk every call of this thread and of threads started in this context."""
    start = threading.Thread.start

    def start_traced(thread: threading.Thread) -> None:
        vars(thread)["started_by"] = walk.stack(sys._getframe()) or ()
        start(thread)

    vars(threading)["Thread"].start = start_traced
    threading.setprofile(walk)
    sys.setprofile(walk)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        vars(threading)["Thread"].start = start


def own(name: str) -> bool:
    """Whether a file or room belongs to the package and not to a plugin."""
    return name.split("/")[0] == PACKAGE.name


def room(file: str) -> str:
    """The folder of the package that a file lies in, or the file itself; a plugin's package."""
    return "/".join(file.split("/")[: 2 if own(file) else 1])


def figures(calls: Iterable[Call], place: Callable[[str], str] = str) -> dict[str, int]:
    """Columns of the table, for files or for rooms (``place=room``)."""
    sites = {
        (place(stack[0]), place(end)): set[tuple[str, int]]() for stack, _, end in calls if stack
    }
    starts, upward = set(), set()
    for stack, line, end in calls:
        if not stack:
            starts.add(place(end))
            continue
        move = place(stack[0]), place(end)
        sites[move].add((stack[0], line))
        if place(end) in map(place, stack):
            upward.add(move)
    visited = starts.union(*sites)
    inner = [(a, b) for a, b in sites if a != b and own(a) and own(b)]
    return {
        "visited": sum(map(own, visited)),
        "moves": len(inner),
        "call sites": sum(len(sites[move]) for move in inner),
        "ways back": len(inner) - len({end for _, end in inner} - starts),
        "upward": sum(move in upward for move in inner),
        "plugin files": sum(not own(name) for name in visited),
        "into": sum(own(a) and not own(b) for a, b in sites),
        "out of plugins": sum(own(b) and not own(a) for a, b in sites),
    }


def traced(arguments: list[str], folder: str) -> list[Call]:
    """Trace the calls of a command that runs in a folder.

    Raises:
        RuntimeError: the command ended with a status other than 0.
    """
    os.chdir(folder)
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="adframe")
    main, output = script.load(), io.StringIO()
    entries = importlib.metadata.entry_points(group="adframe")
    specs = [importlib.util.find_spec(name) for name in {e.module.split(".")[0] for e in entries}]
    plugins = [Path(each) for spec in specs for each in spec.submodule_search_locations]
    walk = Walk(traced.__code__, [PACKAGE, *plugins])
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), profiled(walk):
        status = main(arguments)
    if status:
        raise RuntimeError(f"adframe {' '.join(arguments)}: status {status}\n{output.getvalue()}")
    return list(walk.calls)


def walks() -> dict[str, dict[str, Any]]:
    """Trace each command in a new process, because a second run would find caches full."""
    found = {}
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
        Image.fromarray(noise).save(Path(folder) / "image.png")
        for name, arguments in COMMANDS.items():
            with ProcessPoolExecutor(1, context) as process:
                calls = process.submit(traced, arguments, folder).result()
            moves = dict.fromkeys((stack[0], end) for stack, _, end in calls if stack)
            found[name] = {
                "files": figures(calls),
                "rooms": figures(calls, room),
                "moves": [f"{start} -> {end}" for start, end in moves if start != end],
            }
    return found


def source_lines(path: Path) -> int:
    """Number of lines of code in a file, without blank lines, comments and docstrings."""
    lines: set[int] = set()
    with tokenize.open(path) as stream:
        for token in tokenize.generate_tokens(stream.readline):
            if token.string.strip() and token.type != tokenize.COMMENT:
                lines.update(range(token.start[0], token.end[0] + 1))
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def lines_by_folder() -> dict[str, int]:
    """Lines of source by folder of the package, without rooms on top of the core; then sums."""
    count: Counter[str] = Counter()
    for path in sorted(PACKAGE.rglob("*.py")):
        folder = path.parent.relative_to(PACKAGE)
        if not folder.parts or folder.parts[0] not in ON_TOP:
            count["/".join([PACKAGE.name, *folder.parts])] += source_lines(path)
    commands = sum(count[folder] for folder in count if "/commands" in folder)
    whole = count.total()
    return {**count, "together": whole, "commands": commands, "the rest": whole - commands}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", action="store_true", help="count lines of source instead")
    parser.add_argument("--moves", action="store_true", help="print every move between files too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    found: dict[str, Any] = lines_by_folder() if options.lines else walks()
    if options.json:
        print(json.dumps(found, indent=1))
    elif options.lines:
        print(*(f"{name:<24}{count:>7,}" for name, count in found.items()), sep="\n")
    else:
        titles = found["run"]["files"]
        print("".join([" " * 17, *(f"{title:>15}" for title in titles)]))
        for name, level in itertools.product(found, ("files", "rooms")):
            cells = (f"{found[name][level][title]:>15}" for title in titles)
            print("".join([f"{f'{name}, {level}':<17}", *cells]))
        for name in found if options.moves else ():
            print(f"\n{name}", *found[name]["moves"], sep="\n  ")


if __name__ == "__main__":
    main()
