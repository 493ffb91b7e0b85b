"""A search: trials are runs, no trial is run twice, test images never choose."""

import json
import signal
import sys

import pytest

from adframe.cli.main import main
from adframe.config.model import load_config
from adframe.errors import Stopped, TrainingError
from adframe.interfaces import Outcome, Report
from adframe.jobs import job
from adframe.tune import objective

JUDGED = "validation={share: 0.25, anomalies: rotation}"
SPACE = """
optimizer.lr: {low: 0.001, high: 1.0, log: true}
backbone.width: {choices: [0.0625, 0.125]}
"""


@pytest.fixture
def search(toy_file, tmp_path):
    """``search(N, ...)`` runs the command; its folder is ``out``."""
    space = tmp_path / "space.yaml"
    space.write_text(SPACE)

    def search(trials, *words, out="out"):
        where = ["--space", str(space), "--out", str(tmp_path / out)]
        return main(
            ["tune", str(toy_file), "--set", JUDGED, *where, "--trials", str(trials), *words]
        )

    search.space = space
    search.memory = lambda out="out": json.loads((tmp_path / out / "tune.json").read_text())
    return search


@pytest.fixture
def pretend(monkeypatch):
    """Replaces training by a formula with its best at a rate of 0.1; returns the rates in order."""
    rates = []

    def run(config, lock, resume=False):
        rate = config.dump()["optimizer"]["lr"]
        rates.append(rate)
        if rate > 0.5:
            raise TrainingError("the loss is not finite")
        value = 1 - abs(rate - 0.1)
        result = {"mean_auroc": 0.3, "validation": {"validation_auroc": value}, "seconds": 2.0}
        (lock.folder / "result.json").write_text(json.dumps(result))
        return Report({"nearest": Outcome({}, {})}, {}, 1.0, 1, lock.folder)

    monkeypatch.setattr(job, "run_locked", run)
    return rates


def test_a_search_goes_past_failures_and_writes_the_best(search, pretend, tmp_path, capsys):
    assert search(12, "--json") == 0
    found, printed = search.memory(), json.loads(capsys.readouterr().out)
    assert found == printed
    assert len(pretend) == len(found["trials"]) == 12
    failed = [trial for trial in found["trials"] if trial["status"] == "failed"]
    assert 0 < len(failed) < 12
    assert {trial["reason"] for trial in failed} == {"the loss is not finite"}
    values = {trial["number"]: trial["value"] for trial in found["trials"] if trial["value"]}
    assert found["best"] == max(values, key=values.get)
    best = load_config(tmp_path / "out/best.yaml")
    assert best.dump()["optimizer"]["lr"] == found["trials"][found["best"]]["drawn"]["optimizer.lr"]
    assert (tmp_path / "out/trial-0011/result.json").exists() or failed[-1]["number"] == 11


def test_the_same_command_continues_and_draws_what_it_would_have_drawn(
    search, pretend, monkeypatch, capsys
):
    assert search(5) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[0].split()[:2] == ["trial", "validation_auroc"]
    assert table.count(" *") == 1
    whole, rates = search.memory(), list(pretend)
    pretend.clear()
    work = job.run_locked

    def killed(config, lock, resume=False):
        if len(pretend) == 2:
            raise Stopped(signal.SIGTERM, "interrupted after step 1")
        return work(config, lock, resume)

    monkeypatch.setattr(job, "run_locked", killed)
    assert search(5, out="again") == 143
    assert search.memory("again")["trials"][-1]["status"] == "running"
    monkeypatch.setattr(job, "run_locked", work)
    assert search(4, out="again") == 0
    assert len(pretend) == 4
    assert search(5, out="again") == 0
    assert pretend == rates  # each trial once, and the same values
    assert search.memory("again") == whole
    assert search(5, out="again") == 0
    assert len(pretend) == 5  # nothing was left to do
    assert search(5, "--seed", "1", out="again") == 2
    assert "holds another search" in capsys.readouterr().err


def test_a_wrong_value_ends_before_the_first_trial(search, pretend, tmp_path, capsys):
    search.space.write_text("train.epochs: {choices: [1, none]}\noptimizer.rl: {low: 1, high: 2}")
    assert search(3) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "space.yaml:1: train.epochs" in lines[0] + lines[1]
    assert any("space.yaml:2: optimizer.rl: unknown key" in line for line in lines)
    assert not pretend
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["auroc", "mean_auroc", "test_auroc", "fpr", "test"])
def test_a_figure_of_the_test_split_is_refused_in_one_line(search, pretend, capsys, name):
    assert search(3, "--set", "metrics=[fpr]", "--metric", name) == 2
    assert not pretend
    (line,) = capsys.readouterr().err.splitlines()
    assert "a figure of the test split, which must not choose a config" in line


def test_other_objectives_that_are_no_figure(search, toy_file, capsys):
    assert search(3, "--metric", "validation_aurco") == 2
    assert "did you mean 'validation_auroc'" in capsys.readouterr().err
    plain = ["tune", str(toy_file), "--space", str(search.space)]
    assert main(plain) == 2
    assert "no validation images to compare trials on" in capsys.readouterr().err


def test_what_is_better_is_found_by_trying(toy):
    config = toy("metrics=[fpr, average_precision, pixel_auroc]")
    names = ["auroc", "fpr", "average_precision", "pixel_auroc"]
    found = [objective.better(config, f"validation_{name}") for name in names]
    assert found == ["higher", "lower", "higher", "higher"]


def test_a_search_of_which_every_trial_fails(search, monkeypatch, capsys):
    def fails(config, lock, resume=False):
        raise TrainingError("the loss is not finite")

    monkeypatch.setattr(job, "run_locked", fails)
    assert search(2) == 1
    assert "no trial gave a value; the first: the loss is not finite" in capsys.readouterr().err


def test_trials_are_runs(search, tmp_path):
    """The value is that of the run folder, and the best config runs."""
    assert search(2, "--set", "train.epochs=0") == 0
    for trial in search.memory()["trials"]:
        folder = tmp_path / f"out/trial-{trial['number']:04d}"
        result = json.loads((folder / "result.json").read_text())
        assert trial["value"] == result["validation"]["validation_auroc"]
    assert main(["check", str(tmp_path / "out/best.yaml")]) == 0


def test_without_optuna_one_line_names_the_extra(search, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert search(1) == 2
    assert capsys.readouterr().err == "tune needs Optuna: pip install 'adframe[tune]'\n"


def test_a_folder_of_something_else_is_not_touched(search, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "000.png").write_bytes(b"x")
    assert search(1, out="photos") == 2
    assert (
        "photos: is not empty and holds no search; choose another --out" in capsys.readouterr().err
    )
    assert not list(folder.glob("trial-*"))
    assert not (folder / "tune.json").exists()
