"""The one-file plugins of examples/small keep the contract, run, and resume to the same bytes."""

from pathlib import Path
from unittest import SkipTest

import pytest

import adframe
from adframe.testing import cases

SMALL = Path(__file__).parents[2] / "examples/small"
GIVEN = {
    ("method", "moco"): {"length": 16},
    ("loss", "warm_up"): {"of": "uniclr"},
    ("scorer", "both"): {"of": "nearest_cosine", "other": "mahalanobis"},
}
SETTINGS = {
    "moco": ["method={name: moco, length: 16}"],
    "msc": ["method=mean_shifted"],
    "warm": ["objective=[{loss: {name: warm_up, of: uniclr}}]"],
    "ensemble": [
        "scorer={name: both, of: nearest_cosine, other: mahalanobis}", "metrics=[found]",
    ],
}  # fmt: skip


def test_each_file_is_run():
    assert {path.stem for path in SMALL.glob("*.py")} == set(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_it_keeps_the_contract(name):
    for case in cases(SMALL / f"{name}.py", GIVEN):
        try:
            case()
        except SkipTest:
            continue


STOP = """
from pathlib import Path
from adframe import hookimpl

@hookimpl
def adframe_epoch_end(run, epoch):
    mark = Path(__file__).with_suffix(".mark")
    if epoch == 2 and not mark.exists():
        mark.touch()
        raise ZeroDivisionError
"""


@pytest.mark.parametrize("name", SETTINGS)
def test_a_resumed_run_is_the_same(toy, tmp_path, name):
    stop = tmp_path / "stop.py"
    stop.write_text(STOP)
    settings = ["schedule=uniform", "scorer=nearest_cosine", "objective=[{loss: uniclr}]",
                *SETTINGS[name]]  # fmt: skip
    config = toy(*settings, plugins=[SMALL / f"{name}.py", stop])
    with pytest.raises(ZeroDivisionError):
        adframe.run(config, tmp_path / "halved")
    adframe.run(config, tmp_path / "halved", resume=True)
    adframe.run(config, tmp_path / "whole")
    for file in ("state.safetensors", "model.safetensors", "scores.csv"):
        halved, whole = (tmp_path / run / file for run in ("halved", "whole"))
        assert halved.read_bytes() == whole.read_bytes(), file
