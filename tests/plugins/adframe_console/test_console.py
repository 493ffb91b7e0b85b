"""Output of a run on the terminal and in its folder."""

import io
import json
import os
import re
import types

import numpy as np
import pytest
import torch

import adframe
from adframe import hookimpl
from adframe.cli.main import main
from adframe.interfaces import Decision, Outcome, Report
from adframe_console.metrics import MetricLog
from adframe_console.progress import EpochLines, ScoringBar, TrainingBar
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


def test_a_scorer_that_failed_has_no_figure(capsys):
    report = _report(svhn=0.5, textures=0.75)
    report.outcomes = {"svm": Outcome({}, {}), **report.outcomes}
    report.failed = {"svm": "raised ValueError"}
    show(report)
    rows = [re.findall(r"[\w.]+", line) for line in capsys.readouterr().out.splitlines()]
    for name, figure in {"svhn": "0.5000", "textures": "0.7500", "mean": "0.6250"}.items():
        assert [name, "failed", figure, "0.2500"] in rows


def test_a_decision_is_a_line_of_the_first_scorer(capsys):
    report = _report(svhn=0.5, textures=0.75)
    values = {"inliers": [0.02, 0.9, 1.0, 0.5], "svhn": [0.01], "textures": [0.01, 0.3]}
    found = {title: np.array(of) for title, of in values.items()}
    report.outcomes["nearest"].decision = Decision(0.02, 3.0, torch.ones(99), found, {})
    show(report)
    line = "at p <= 0.02: 25 % of inliers, 66.7 % of outliers called anomalous; precision 0.67\n"
    assert line in capsys.readouterr().out
    report.outcomes["nearest"].decision.p_values = {"inliers": found["inliers"]}
    show(report)
    assert "at p <= 0.02: 25 % of inliers called anomalous\n" in capsys.readouterr().out


def test_a_decision_by_labelled_images_names_its_rule(capsys):
    report = _report(svhn=0.5)
    values = {"inliers": np.ones(4), "svhn": np.ones(2)}
    called = {"inliers": 0.25, "svhn": 0.5}
    decision = Decision(0.01, 3.0, torch.ones(99), values, called, "recall", 9)
    report.outcomes["nearest"].decision = decision
    show(report)
    assert (
        "at a score of 3, by recall on validation images: "
        "25 % of inliers, 50 % of outliers called anomalous; precision 0.50\n"
    ) in capsys.readouterr().out


def test_a_figure_has_its_interval_in_the_table(capsys):
    report = _report(svhn=0.5, textures=0.75)
    outcome = report.outcomes["nearest"]
    outcome.intervals = {"auroc": {"svhn": (0.401, 0.6)}}
    outcome.mean_interval = (0.55, 0.7)
    show(report)
    printed = capsys.readouterr().out
    assert "0.5000 (0.40-0.60)" in printed
    assert "0.6250 (0.55-0.70)" in printed
    assert "0.7500 " in printed


def test_many_scorers_have_a_row_each_and_their_whole_name(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    scorers = [f"nearest_cosine_{index}" for index in range(5)]
    outcomes = {name: Outcome({"cifar": index / 10}, {}) for index, name in enumerate(scorers)}
    show(Report(outcomes, {"l2": Outcome({"cifar": 0.25}, {})}, 61.0, 7))
    rows = [line.split("│")[1:3] for line in capsys.readouterr().out.splitlines() if "│" in line]
    seen = {name.strip(): float(auroc) for name, auroc in rows}
    assert seen == {**{n: i / 10 for i, n in enumerate(scorers)}, "pixels, l2": 0.25}


def test_names_are_never_broken_at_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    sets = {f"imagenet_resize_{index}": index / 10 for index in range(7)}
    scorers = [f"nearest_cosine_{index}" for index in range(5)]
    outcomes = {name: Outcome(sets, {}) for name in scorers}
    show(Report(outcomes, {"l2": Outcome(dict.fromkeys(sets, 0.25), {})}, 61.0, 7))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    words = set(printed.replace("│", " ").split())
    assert {*sets, *scorers, "0.6000", "0.3000"} <= words


def test_a_path_is_no_markup_and_steers_nothing(capsys, tmp_path):
    report = _report(svhn=0.5)
    report.out = tmp_path / "[red]\x1b[31mrun"
    show(report)
    assert f"run folder: {tmp_path}/[red]\\x1b[31mrun\n" in capsys.readouterr().out


def test_names_of_sets_and_scorers_are_no_markup_and_steer_nothing(capsys, monkeypatch):
    """A name may be that of a class folder."""
    monkeypatch.setenv("COLUMNS", "200")
    odd, safe = "[red]a[/] \x1b[31m\n\u202e\udc80", "[red]a[/] \\x1b[31m\\n\\u202e\\udc80"
    sets, other = Outcome({odd: 0.5, "svhn": 0.75}, {}), Outcome({odd: 0.25, "svhn": 0.5}, {})
    report = Report({f"s{odd}": sets, "nearest": other}, {odd: other}, 61.0, 7)
    show(report)
    printed = capsys.readouterr().out
    for text in (safe, f"s{safe}", f"pixels, {safe}", "0.7500"):
        assert text in printed
    assert not set("\x1b\u202e\udc80") & set(printed)


def test_a_log_that_is_not_ours_is_begun_again(tmp_path):
    run = types.SimpleNamespace(out=tmp_path, step=4, epoch_metrics={"loss": 1.5})
    for line in ("[" * 99_999, "[1]", '{"epoch": [1]}', "\udc80", "{}"):
        (tmp_path / "metrics.jsonl").write_bytes(os.fsencode(f"{line}\n"))
        MetricLog(run).adframe_epoch_end(run, 3)
        (row,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
        assert json.loads(row)["epoch"] == 3


def test_a_resumed_log_drops_what_is_trained_again(tmp_path):
    run = types.SimpleNamespace(out=tmp_path, step=4, epoch_metrics={"loss": 1.5})
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


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Call it in a test: then standard error is a terminal, and each step is shown."""

    def use():
        stream = Terminal()
        monkeypatch.setattr("sys.stderr", stream)
        return stream

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("adframe_console.progress.REFRESH", 0.0)
    return use


@pytest.fixture
def clock(monkeypatch):
    """The time that the progress lines see; a test sets it."""
    state = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr("adframe_console.progress.time.monotonic", lambda: state.now)
    return state


def _run(epochs=3, batches=4):
    train = types.SimpleNamespace(epochs=epochs)
    return types.SimpleNamespace(
        config=types.SimpleNamespace(train=train), batch_size=8, step=0, verbose=True,
        batches_per_epoch=batches, total_steps=epochs * batches, epoch_metrics={"loss": 0.5},
    )  # fmt: skip


def _drive(observer, run, clock, epochs):
    """Steps of 2 s, the first of 60 s; after each epoch."""
    loss = torch.tensor(1.5)
    for epoch in range(1, epochs + 1):
        for _ in range(run.batches_per_epoch):
            clock.now += 2 if run.step else 60
            if isinstance(observer, EpochLines):
                observer.adframe_update(run, "main")
            else:
                observer.adframe_update(run, "main", {"loss": loss})
            run.step += 1
        observer.adframe_epoch_end(run, epoch)


def test_a_line_an_epoch_where_there_is_no_terminal(clock, capsys):
    run = _run()
    _drive(EpochLines(), run, clock, 3)
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/3: loss 0.5000, 66.0 s, 0:00:16 left",  # 8 batches of 2 s
        "epoch 2/3: loss 0.5000, 8.0 s, 0:00:08 left",
        "epoch 3/3: loss 0.5000, 8.0 s, 0:00:00 left",
    ]


def test_a_bar_knows_epoch_batch_and_the_time_left(clock, terminal):
    run = _run()
    terminal()
    bar = TrainingBar()
    try:
        _drive(bar, run, clock, 1)
        (task,) = bar.bar.tasks
        assert task.description == "epoch 1/3, batch 4/4"
        assert (task.completed, task.total) == (4, 12)
        assert task.fields == {"loss": "0.5000", "rate": "4", "left": "0:00:16 left"}
    finally:
        bar.close()


def test_a_resumed_run_measures_its_own_steps_only(clock, terminal):
    run = _run(epochs=10)
    run.step = 20
    terminal()
    bar = TrainingBar()
    try:
        for clock.now in (200.0, 203.0):
            bar.adframe_update(run, "main", {"loss": torch.tensor(1.0)})
            run.step += 1
        (task,) = bar.bar.tasks
        assert task.description == "epoch 6/10, batch 2/4"
        assert task.fields["left"] == "0:00:54 left"  # 18 batches of 3 s
    finally:
        bar.close()


def test_scoring_has_a_bar(clock, terminal):
    terminal()
    bar = ScoringBar(200)
    try:
        clock.now += 5
        bar.adframe_progress(_run(), 50, 200)
        (task,) = bar.bar.tasks
        assert (task.completed, task.fields["left"]) == (50, "0:00:15 left")
    finally:
        bar.close()


def test_a_log_of_a_run_and_of_an_evaluation(toy, tmp_path, capsys):
    adframe.run(toy("train.epochs=2"), tmp_path / "run", verbose=True)
    printed = capsys.readouterr()
    assert "AUROC after 2 epochs" in printed.out
    lines = printed.err.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == ["epoch 1/2", "epoch 2/2"]
    assert lines[1].endswith("0:00:00 left")
    assert re.fullmatch(r"scoring \d+ image views", lines[2])
    assert len(lines) == 3
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert _views(line) < _views(lines[2]), "scorers are not fitted again"


def _views(line):
    return int(re.search(r"\d+", line)[0])


def test_a_terminal_sees_loss_and_images_per_second_and_scoring(toy, terminal, tmp_path):
    stream = terminal()
    adframe.run(toy(), tmp_path / "run", verbose=True)
    shown = stream.getvalue()
    for text in ("images/s", "loss", "epoch 2/2, batch ", "scoring", "100 %"):
        assert text in shown
    assert shown.index("epoch 2/2") < shown.index("scoring")
    stream = terminal()
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    assert "scoring" in stream.getvalue()
    assert "epoch" not in stream.getvalue()


def test_the_hook_counts_every_image_view_once(toy):
    config = toy("train.epochs=1", "scorer=[{name: nearest_cosine, views: 3}, nearest_cosine]")
    calls = []

    class Watch:
        @hookimpl
        def adframe_progress(self, run, done, total):
            calls.append((done, total))

    watch = Watch()
    config.loaded.manager.register(watch)
    adframe.run(config)
    config.loaded.manager.unregister(watch)
    done, totals = zip(*calls, strict=True)
    assert done[0] == 0
    assert list(done) == sorted(done)
    assert {done[-1], *totals} == {totals[0]}
    assert len(done) > 3


def test_the_loss_is_read_seldom(monkeypatch):
    class Watched:
        read = 0

        def __float__(self):
            Watched.read += 1
            return 0.0

    monkeypatch.setattr("sys.stderr", io.StringIO())
    run = _run(epochs=25)
    bar = TrainingBar()
    try:
        for run.step in range(100):
            bar.adframe_update(run, "main", {"loss": Watched()})
    finally:
        bar.close()
    assert 1 <= Watched.read <= 2


@pytest.fixture(autouse=True)
def _deterministic():
    torch.manual_seed(0)
