"""What a run shows and writes."""

import io
import json
import types

import pytest
import torch

import adframe
from adframe.engine.metrics import Outcome
from adframe.engine.report import Report
from adframe_console.metrics import MetricLog
from adframe_console.progress import ProgressBar
from adframe_console.table import show


def _report(**sets):
    outcome = Outcome(dict(sets), {})
    return Report({"nearest": outcome}, {"l2": Outcome(dict.fromkeys(sets, 0.25), {})}, 61.0, 7)


def test_the_table_shows_every_set_the_mean_and_the_budget(capsys):
    show(_report(svhn=0.5, textures=0.75))
    printed = capsys.readouterr().out
    assert "after 7 epochs, 61 s" in printed
    for text in ("svhn", "0.5000", "textures", "0.7500", "mean", "0.6250", "0.2500"):
        assert text in printed


def test_many_scorers_have_a_row_each_and_their_whole_name(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    scorers = [f"nearest_cosine_{index}" for index in range(5)]
    outcomes = {name: Outcome({"cifar": index / 10}, {}) for index, name in enumerate(scorers)}
    show(Report(outcomes, {"l2": Outcome({"cifar": 0.25}, {})}, 61.0, 7))
    rows = [line.split("│")[1:3] for line in capsys.readouterr().out.splitlines() if "│" in line]
    seen = {name.strip(): float(auroc) for name, auroc in rows}
    assert seen == {**{n: i / 10 for i, n in enumerate(scorers)}, "pixels, l2": 0.25}


def test_a_resumed_log_drops_what_is_trained_again(tmp_path):
    run = types.SimpleNamespace(out=tmp_path, step=4, means={"loss": 1.5})
    lines = [json.dumps({"epoch": epoch, "loss": 0.0}) for epoch in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"epoch": 4, "lo']))
    log = MetricLog(run)
    log.adframe_epoch_end(run, 3)
    log.adframe_epoch_end(run, 4)
    written = (tmp_path / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in written]
    assert [(row["epoch"], row["loss"]) for row in rows] == [(1, 0), (2, 0), (3, 1.5), (4, 1.5)]


def test_nothing_is_shown_where_nobody_asked(toy, capsys):
    adframe.run(toy("train.epochs=1"))
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""


def test_no_bar_without_a_terminal(toy, capsys):
    adframe.run(toy("train.epochs=1"), verbose=True)
    printed = capsys.readouterr()
    assert "AUROC after 1 epochs" in printed.out
    assert printed.err == ""


def test_a_terminal_sees_loss_and_images_per_second(toy, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("adframe_console.progress.REFRESH", 0.0)
    adframe.run(toy(), verbose=True)
    assert "images/s" in terminal.getvalue()
    assert "loss" in terminal.getvalue()


def test_the_loss_is_read_seldom(monkeypatch):
    class Watched:
        read = 0

        def __float__(self):
            Watched.read += 1
            return 0.0

    monkeypatch.setattr("sys.stderr", io.StringIO())
    run = types.SimpleNamespace(total=100, step=0, epoch=0, batch_size=4)
    bar = ProgressBar(run)
    try:
        for run.step in range(100):
            bar.adframe_update(run, "main", {"loss": Watched()})
    finally:
        bar.progress.stop()
    assert Watched.read <= 2


@pytest.fixture(autouse=True)
def _deterministic():
    torch.manual_seed(0)
