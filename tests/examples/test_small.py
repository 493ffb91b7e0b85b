"""The one-file plugins of examples/small keep the contract, run, and resume to the same bytes."""

import csv
import json
import runpy
from pathlib import Path
from unittest import SkipTest

import pytest

import adframe
from adframe.engine.build import assemble
from adframe.errors import ConfigError
from adframe.testing import cases

SMALL = Path(__file__).parents[2] / "examples/small"
GIVEN = {
    ("method", "moco"): {"length": 16},
    ("method", "cross_stage"): {"of": "contrastive"},
    ("method", "cut"): {"of": "contrastive", "size": 8},
    ("method", "small_anogan"): {"latent": 4, "width": 2},
    ("scorer", "both"): {"of": "nearest_cosine", "other": "mahalanobis"},
    ("scorer", "window_map"): {"size": 8, "stride": 4},
}
PLAIN = ["schedule=uniform", "scorer=nearest_cosine", "objective=[{loss: uniclr}]"]
SETTINGS = {
    "anogan": [
        "method={name: small_anogan, latent: 4, width: 2}",
        "scorer={name: latent_search, steps: 2}",
        "optimizer={generator: adam, discriminator: sgd}",
    ],
    "plad": ["method=small_plad", "scorer=method_output"],
    "svdd": ["method={name: small_svdd, soft: true}", "scorer=method_output"],
    "moco": ["method={name: moco, length: 16}"],
    "msc": ["method=mean_shifted"],
    "patches": [
        "method={name: cut, of: contrastive, size: 8}",
        "scorer={name: window_map, size: 8, stride: 4}",
    ],
    "sched": [
        "objective=[{loss: annealed}, {loss: thumbnail}]", "schedule=staircase",
        "method={name: cross_stage, of: contrastive}",
    ],
    "watch": [
        "validation={share: 0.3, anomalies: rotation}", "train.epochs=4",
        "observers=[csv_log, {name: tracker, file: tracked.jsonl}, {name: compact, patience: 2}]",
    ],
    "ensemble": [
        "scorer={name: both, of: nearest_cosine, other: mahalanobis}", "metrics=[found]",
    ],
}  # fmt: skip


def test_each_file_is_run():
    assert {path.stem for path in SMALL.glob("*.py")} == set(SETTINGS)


def test_the_table_has_the_lines_that_are_counted():
    rows = runpy.run_path(str(SMALL.parent / "lines.py"))["table"]()
    assert len(rows) == len(SETTINGS) + 1
    assert "\n".join(rows) in (SMALL.parent / "README.md").read_text()


@pytest.mark.parametrize("name", SETTINGS)
def test_it_keeps_the_contract(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a file without a folder is written
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
def test_a_resumed_run_is_the_same(toy, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stop = tmp_path / "stop.py"
    stop.write_text(STOP)
    settings = [*PLAIN, *SETTINGS[name]]
    config = toy(*settings, plugins=[SMALL / f"{name}.py", stop])
    with pytest.raises(ZeroDivisionError):
        adframe.run(config, tmp_path / "halved")
    adframe.run(config, tmp_path / "halved", resume=True)
    adframe.run(config, tmp_path / "whole")
    more = {path.name for path in (tmp_path / "whole").glob("log.csv")}
    for file in ("state.safetensors", "model.safetensors", "scores.csv", *more):
        halved, whole = (tmp_path / run / file for run in ("halved", "whole"))
        assert halved.read_bytes() == whole.read_bytes(), file


def test_what_the_observers_wrote(toy, tmp_path):
    told = tmp_path / "told"
    observers = f"[csv_log, {{name: tracker, file: {told}}}, {{name: compact, patience: 1}}]"
    settings = [*PLAIN, "optimizer.lr=1e-9", "train.epochs=9", f"observers={observers}",
                "validation={share: 0.3, anomalies: rotation}"]  # fmt: skip
    report = adframe.run(toy(*settings, plugins=[SMALL / "watch.py"]), tmp_path / "run")
    assert report.epochs < 9
    assert report.finished.startswith("the validation features")
    rows = list(csv.DictReader((tmp_path / "run/log.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == list(range(1, report.epochs + 1))
    spread = [float(row["spread"]) for row in rows]
    assert spread.index(min(spread)) == report.epochs - 2
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    assert [line["what"] for line in lines] == [
        "params", *["metrics"] * report.epochs, "result", "end",
    ]  # fmt: skip
    assert lines[-1]["status"] == "finished"


def test_a_scorer_of_one_method_is_refused_with_another(toy):
    with pytest.raises(ConfigError, match="latent_search needs a method of class SmallAnoGAN"):
        assemble(toy("scorer=latent_search", plugins=[SMALL / "anogan.py"]))
