"""Statements and code blocks of docs/how-to/plugins.md and configs.md are correct."""

import inspect
import re
from pathlib import Path
from string import Template

import pytest

from adframe import scaffold
from adframe.config.model import load_config
from adframe.registry import hookspecs

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/how-to/plugins.md").read_text()


def blocks(mark):
    return dict(re.findall(rf"<!-- {mark}: ([^\n]+) -->\n```\w+\n(.*?)```", TEXT, re.DOTALL))


def test_the_hooks_are_documented_with_their_exact_arguments():
    rows = re.findall(r"^\| `(adframe_\w+)\((.*)\)` \| (.*) \|$", TEXT, re.MULTILINE)
    assert rows == [
        (name, ", ".join(inspect.signature(hook).parameters), inspect.getdoc(hook).split("\n")[0])
        for name, hook in hookspecs.names().items()
    ]


def test_the_walk_through_of_a_kind_is_what_adframe_new_writes():
    """Which tests/adframe/test_scaffold.py checks and runs."""
    shown = blocks("template")
    assert set(shown) == set(scaffold.KINDS)
    for kind, code in shown.items():
        template = (ROOT / f"adframe/scaffold/templates/{kind}.py.tmpl").read_text()
        assert code == Template(template).substitute(stem="MyIdea")


CONFIGS = (ROOT / "docs/how-to/configs.md").read_text()


@pytest.mark.parametrize("words", re.findall(r"--set ([a-z]\S+?=(?:'.*?'|\S+))", CONFIGS))
def test_the_settings_shown_are_settings(words, toy_file):
    key, value = re.fullmatch(r"([^=]+)=(.*)", words.replace("'", "")).groups()
    config = load_config(toy_file, [f"{key}={value}"])
    assert f"--set {key}={value}" in config.written(tuple(_path(key, config)))


def _path(key, config):
    """The path of what a setting set."""
    for part in key.split("."):
        if part in ("+", "-1"):
            yield len(config.shifts) - 1
        else:
            yield int(part) if part.isdecimal() else part
            yield from [0] if part == "scorer" else []


def test_the_config_shown_is_read(tmp_path, shapes, monkeypatch):
    (block,) = re.findall(r"```yaml\n(.*?)```", CONFIGS, re.DOTALL)
    monkeypatch.setenv("PHOTOS", str(shapes))
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "4")
    (tmp_path / "site.yaml").write_text("train: {epochs: 1}\n")
    (tmp_path / "repel.py").write_text("")
    base = f"{ROOT}/configs/base/unicon_ha.yaml"
    (tmp_path / "x.yaml").write_text(block.replace("base/unicon_ha.yaml", base))
    config = load_config(tmp_path / "x.yaml", allow_code=True)
    assert (config.seed, config.dump()["dataset"]["root"]) == (4, str(shapes))
