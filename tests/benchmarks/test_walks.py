"""The tool that traces calls counts as its documentation states."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import walks

# cli -> model -> layer, three times; cli -> train; train -> step of a plugin -> layer;
# train -> model, twice, of which one calls train back; cli -> load, which imports, in a thread.
PROGRAM = {
    "adframe/cli.py": """
def cli():
    for _ in range(3):
        model()
    train()
    thread = Thread(target=load)
    thread.start()
    thread.join()
""",
    "adframe/train.py": """
def train():
    step()
    model(back)
    model()
def back():
    pass
""",
    "adframe/net/model.py": """
def model(callback=None):
    layer()
    if callback:
        callback()
""",
    "adframe/net/layer.py": "def layer(): pass",
    "adframe/data/load.py": "def load(): exec(compile('train()', 'lazy', 'exec'), globals())",
    "adframe_x/step.py": "def step(): layer()",
}


@pytest.fixture
def calls(tmp_path: Path) -> list[walks.Call]:
    """What the program calls."""
    names: dict[str, object] = {"Thread": threading.Thread}
    for name, text in PROGRAM.items():
        exec(compile(text, str(tmp_path / name), "exec"), names)

    def bottom() -> None:
        with walks.profiled(walk):
            names["cli"]()

    walk = walks.Walk(bottom.__code__, [tmp_path / "adframe", tmp_path / "adframe_x"])
    bottom()
    return list(walk.calls)


def test_files_moves_and_ways_back_are_counted(calls: list[walks.Call]) -> None:
    assert walks.figures(calls) == {
        "visited": 5,
        "moves": 6,  # cli to model, train, load; model to layer, train; train to model
        "call sites": 7,  # train calls model from two lines
        "ways back": 2,  # into model from train, into train from model
        "upward": 1,  # into train from model
        "plugin files": 1,
        "into": 1,
        "out of plugins": 1,
    }


def test_a_room_is_a_folder_or_a_file_that_lies_in_none(calls: list[walks.Call]) -> None:
    rooms = walks.figures(calls, walks.room)
    assert rooms["visited"] == 4
    assert rooms["moves"] == 5  # all but model to layer
    assert (rooms["ways back"], rooms["upward"]) == (2, 1)


def test_lines_of_source_are_those_that_hold_code(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        '"""Doc\n\nstring."""\n\nX = """text\n\nthat counts"""  # comment\n'
        '# comment\ndef f(\n    a,\n):\n    """Doc."""\n    return a\n'
    )
    assert walks.source_lines(path) == 7
