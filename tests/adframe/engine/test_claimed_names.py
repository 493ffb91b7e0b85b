"""Names that two plugins claim: a config settles it, and a run folder stays readable."""

from __future__ import annotations

import json

import pytest
import yaml

import adframe
from adframe.config.model import load_config
from adframe.engine.runner import evaluate_folder
from adframe.errors import UserError

PLUGIN = '''
from adframe import hookimpl
from adframe.interfaces import Scorer

class Own(Scorer):
    """A score of one plugin."""
    def score(self, features):
        return {sign}features["features"].sum((1, 2, 3))

@hookimpl
def adframe_register(add):
    add("scorer", "own", Own)
'''


@pytest.fixture
def plugins(tmp_path):
    """Two one-file plugins that claim a name."""
    made = []
    for name, sign in (("mine", ""), ("theirs", "-")):
        made.append(tmp_path / f"{name}.py")
        made[-1].write_text(PLUGIN.format(sign=sign))
    return made


def test_a_run_folder_is_read_after_another_plugin_claims_its_name(toy, plugins, tmp_path):
    out, mine = tmp_path / "run", plugins[:1]
    report = adframe.run(toy("scorer=own", "train.epochs=1", plugins=mine, without="console"), out)
    written = yaml.safe_load((out / "config.yaml").read_text())
    assert [scorer["name"] for scorer in written["scorer"]] == ["mine:own"]
    assert written["optimizer"]["name"] == "sgd"  # bundled
    assert written["plugins"] == [str(mine[0])]
    assert json.loads((out / "environment.json").read_text())["without"] == ["adframe:console"]

    with pytest.raises(UserError, match="write mine:own or theirs:own, or exclude one with"):
        toy("scorer=own", plugins=plugins)
    again = evaluate_folder(out, plugins=plugins)
    assert again.mean_auroc == report.mean_auroc
    other = toy("scorer=theirs:own", "train.epochs=1", plugins=plugins)
    assert adframe.run(other).mean_auroc == pytest.approx(1 - report.mean_auroc)
    same = toy("scorer=mine:own", "train.epochs=1", plugins=plugins)
    adframe.run(same, out, resume=True)  # as it was written, and as it is now


def test_a_name_with_its_plugin_is_the_same_component_when_configs_are_merged(toy_file, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(f"extends: {toy_file}\noptimizer: {{name: optimizers:sgd, momentum: 0.5}}\n")
    config = load_config(path, ["optimizer={name: sgd, lr: 0.25}"])
    found = config.dump()["optimizer"]
    assert (found["name"], found["momentum"], found["lr"]) == ("optimizers:sgd", 0.5, 0.25)
