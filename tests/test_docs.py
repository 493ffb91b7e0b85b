"""Commands and outputs shown in the documentation are real."""

import re
from pathlib import Path

import pytest

from adframe.cli.main import main
from adframe.registry.hookspecs import names

ROOT = Path(__file__).parents[1]


@pytest.fixture
def walk_through(tmp_path):
    """The files CONTRIBUTING.md tells the reader to write."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    blocks = re.findall(r"<!-- tested: (\S+) -->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in blocks] == ["repel.py", "repel.yaml"]
    for name, content in blocks:
        (tmp_path / name).write_text(content.replace("configs/", f"{ROOT}/configs/"))
    return tmp_path


def test_the_walk_through_runs(walk_through, shapes, capsys):
    config, plugin = str(walk_through / "repel.yaml"), str(walk_through / "repel.py")
    small = [
        f"dataset={{name: image_folder, root: {shapes}, normal: left}}",
        "backbone.width=0.0625",
        "train={epochs: 1, batch_size: 4}",
    ]
    settings = [word for setting in small for word in ("--set", setting)]
    out = walk_through / "run"
    assert main(["run", config, "--plugin", plugin, "--out", str(out), *settings]) == 0
    assert '"repel_4"' in (out / "metrics.jsonl").read_text()
    assert main(["show", "loss", "repel", "--plugin", plugin]) == 0
    assert "temperature: number > 0, default 0.5" in capsys.readouterr().out


def test_the_readme_names_every_verb():
    from adframe.cli.main import _parser

    (verbs,) = (action for action in _parser()._actions if action.choices)
    text = (ROOT / "README.md").read_text()
    for verb in verbs.choices:
        assert f"`{verb}" in text, verb


def test_every_room_has_a_row_in_contributing_and_every_row_a_room():
    rows = re.findall(r"^\| ([^|]*) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    named = {path for row in rows for path in re.findall(r"`(adframe/[^`]+?)/?`", row)}
    there = {
        f"adframe/{path.name}"
        for path in (ROOT / "adframe").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert named == there - {"adframe/__init__.py"}


def test_every_hook_is_documented_where_it_is_specified():
    assert all(hook.__doc__ for hook in names().values())
    assert len(names()) == 6
