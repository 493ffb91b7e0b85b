"""Running a table: cells that run, cells that are skipped, failures and kills."""

import json
import os
import statistics
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from safetensors.torch import load_file

from adframe.cli.main import main
from adframe.engine import checkpoint
from adframe.errors import Stopped, TrainingError, UserError
from adframe.io.locks import lock_folder
from adframe.jobs import job
from adframe.tables import execute

ALL = [
    f"{row}/{task}/{seed}"
    for row in ("plain", "soft")
    for task in ("left", "right")
    for seed in (0, 1)
]


@pytest.fixture
def reproduce(table_file, tmp_path):
    """Runs the verb on the table of toys; returns the exit status."""
    out = tmp_path / "out"
    return lambda *more: main(["reproduce", str(table_file), "--out", str(out), *more])


def _facts(tmp_path):
    return json.loads((tmp_path / "out/table.json").read_text())


def _status(tmp_path):
    return {run["cell"]: run["status"] for run in _facts(tmp_path)["runs"]}


def test_every_cell_is_run_once(reproduce, pretend, tmp_path, capsys):
    assert reproduce() == 0
    assert len(pretend) == 8
    assert all(resume for _, resume in pretend)
    assert set(_status(tmp_path).values()) == {"done"}
    first = capsys.readouterr().out
    assert reproduce() == 0
    assert len(pretend) == 8  # all were done
    assert capsys.readouterr().out == first
    assert (tmp_path / "out/table.md").read_text() in first


def test_means_and_differences_are_those_of_the_runs(reproduce, pretend, tmp_path):
    assert reproduce() == 0
    facts = _facts(tmp_path)
    (part,) = facts["parts"]
    plain, soft, rival = part["rows"]
    left, right, mean = plain["cells"]
    # 0.8 + 0.05 for left + 0.01 for each seed, in percent; see auroc_of
    assert left["seeds"] == pytest.approx({"0": 85.0, "1": 86.0})
    assert (left["mean"], left["sd"]) == pytest.approx((85.5, statistics.stdev([85, 86])))
    assert left["difference"] == pytest.approx(5.5)
    assert right["mean"] == pytest.approx(80.5)
    assert mean["seeds"] == pytest.approx({"0": 82.5, "1": 83.5})
    assert mean["difference"] == pytest.approx(83.0 - 85.0)
    assert soft["cells"][0]["mean"] == pytest.approx(95.5)
    assert soft["cells"][0]["difference"] is None  # not comparable
    assert [cell["runs"] for cell in rival["cells"]] == [0, 0, 0]
    assert (plain["epochs"], plain["images"]) == ([1], [7])  # as found, not as declared
    assert {run["floor"] for run in facts["runs"]} == {0.5}


def test_only_and_seeds_choose(reproduce, pretend, tmp_path):
    assert reproduce("--only", "soft/left") == 0
    assert len(pretend) == 2
    assert _status(tmp_path)["plain/left/0"] == "to do"
    cells = _facts(tmp_path)["parts"][0]["rows"][1]["cells"]
    assert [cell["mean"] for cell in cells] == [pytest.approx(95.5), None, None]  # no half means
    assert reproduce("--seeds", "1") == 0
    assert len(pretend) == 2 + 3  # soft/left/0 was done
    assert reproduce("--seeds", "0") == 2


def test_a_failed_cell_is_named_and_the_others_run(
    reproduce, pretend, tmp_path, capsys, monkeypatch
):
    good = job.run_locked

    def run(config, lock, resume=False):
        if config.seed == 1 and "positives" in config.yaml() and "normal: left" in config.yaml():
            raise TrainingError("epoch 1: loss is not finite")
        if config.seed == 0 and "positives" in config.yaml() and "normal: right" in config.yaml():
            raise ZeroDivisionError("division\nby zero")
        return good(config, lock, resume)

    monkeypatch.setattr(job, "run_locked", run)
    assert reproduce() == 1
    printed = capsys.readouterr()
    lines = [line for line in printed.err.splitlines() if line.startswith("toys:")]
    assert lines == [
        "toys: soft/left/1 failed: epoch 1: loss is not finite",
        "toys: soft/right/0 failed: ZeroDivisionError: division by zero",
    ]
    assert "Traceback" in printed.err
    status = _status(tmp_path)
    assert [name for name in ALL if status[name] != "done"] == ["soft/left/1", "soft/right/0"]
    text = (tmp_path / "out/table.md").read_text()
    assert "- soft/left/1: epoch 1: loss is not finite" in text
    assert "(1 of 2 failed)" in text
    monkeypatch.chdir(tmp_path)  # without --out it writes below runs/
    assert main(["reproduce", str(tmp_path / "toys.yaml"), "--only", "plain"]) == 0  # not its cells
    monkeypatch.setattr(job, "run_locked", good)
    assert reproduce() == 0
    assert len(pretend) == 6 + 4 + 2


def test_a_killed_table_goes_on_where_it_stopped(reproduce, pretend, tmp_path, capsys, monkeypatch):
    good = job.run_locked

    def run(config, lock, resume=False):
        if len(pretend) == 3:
            raise Stopped(2)
        return good(config, lock, resume)

    monkeypatch.setattr(job, "run_locked", run)
    assert reproduce() == 130
    assert "the same command continues" in capsys.readouterr().err
    assert list(_status(tmp_path).values()) == ["done"] * 3 + ["to do"] * 5
    monkeypatch.setattr(job, "run_locked", good)
    assert reproduce() == 0
    assert len(pretend) == 8
    assert len({folder for folder, _ in pretend}) == 8


def test_a_damaged_result_is_no_result(reproduce, pretend, tmp_path):
    assert reproduce() == 0
    (result,) = (tmp_path / "out/soft/left").glob("1-*/result.json")
    result.write_text('{"auroc": {"image_f')
    assert reproduce() == 0
    assert [folder for folder, _ in pretend[8:]] == [result.parent]


def test_another_budget_is_never_mixed_in(reproduce, pretend, table_file, tmp_path):
    assert reproduce() == 0
    table_file.write_text(table_file.read_text().replace("epochs: 1}", "epochs: 2}"))
    assert reproduce("--only", "plain") == 0
    assert len(pretend) == 8 + 4
    facts = _facts(tmp_path)
    assert facts["budget"]["epochs"] == [2]
    assert set(_status(tmp_path).values()) == {"done", "to do"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--budget", "smok"], "no budget 'smok'; did you mean 'smoke'? (budgets: smoke, part)"),
        (["--only", "sft"], "--only sft: the table has no such cell at this budget; did you mean"),
        (["--seeds", "0"], "--seeds: at least 1"),
    ],
)
def test_wrong_input_is_one_line_and_nothing_is_written(
    reproduce, tmp_path, capsys, arguments, line
):
    assert reproduce(*arguments) == 2
    (printed,) = capsys.readouterr().err.splitlines()
    assert line in printed
    assert not (tmp_path / "out").exists()


def test_a_dry_run_lists_cells_and_cost_and_writes_nothing(reproduce, tmp_path, capsys):
    assert reproduce("--dry-run", "--only", "plain", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["cell"] for row in rows] == ALL[:4]
    assert {(row["status"], row["epochs"], row["images"]) for row in rows} == {("to do", 1, 8)}
    assert reproduce("--dry-run", "--only", "plain") == 0
    lines = capsys.readouterr().out.splitlines()
    each = f"{rows[0]['view_passes']:,.0f}"
    assert lines[1].split() == ["plain/left/0", "to", "do", "1", "8", each]
    total = f"{sum(row['view_passes'] for row in rows):,.0f}"
    assert lines[5] == f"4 cells, {total} view passes; to do: 4, {total}"
    assert not (tmp_path / "out").exists()


def test_two_rows_for_real_killed_and_resumed(reproduce, tmp_path, capsys, monkeypatch):
    """The same figures as a table that was left alone, from weights that are the same."""
    save, saved = checkpoint.save_state, []

    def save_then_die(run, *rest):
        save(run, *rest)
        saved.append(run.epoch)
        if len(saved) == 3:  # the first cell, and half of the second
            raise KeyboardInterrupt

    longer = (tmp_path / "toys.yaml").read_text().replace("epochs: 1}", "epochs: 2}")
    (tmp_path / "toys.yaml").write_text(longer)
    monkeypatch.setattr(checkpoint, "save_state", save_then_die)
    chosen = ["--only", "*/left/0"]
    assert reproduce(*chosen) == 130
    monkeypatch.undo()
    capsys.readouterr()
    assert reproduce(*chosen, "--dry-run", "--json") == 0
    status = [row["status"] for row in json.loads(capsys.readouterr().out)]
    assert status == ["done", "half-finished"]
    assert reproduce(*chosen) == 0
    killed = _facts(tmp_path)
    assert (
        main(["reproduce", str(tmp_path / "toys.yaml"), "--out", str(tmp_path / "b"), *chosen]) == 0
    )
    whole = json.loads((tmp_path / "b/table.json").read_text())
    assert killed["parts"] == whole["parts"]
    values = [run["mean_auroc"] for run in killed["runs"] if run["status"] == "done"]
    assert len(values) == 2
    for name in ("plain", "soft"):
        (a,) = (tmp_path / "out" / name / "left").glob("0-*/model.safetensors")
        (b,) = (tmp_path / "b" / name / "left").glob("0-*/model.safetensors")
        weights, others = load_file(a), load_file(b)
        assert all((weights[key] == others[key]).all() for key in weights)
    assert "2 epochs, 8 training images" in capsys.readouterr().out


def test_two_processes_share_a_table_without_a_word_about_cells(
    reproduce, pretend, tmp_path, capsys, monkeypatch
):
    """Each cell is run once, both end with 0, and the tables are equal."""
    good, begun, tables = job.run_locked, threading.Barrier(2, timeout=60), []
    monkeypatch.setattr(execute, "PAUSE", 0.01)

    def run(config, lock, resume=False):
        with suppress(threading.BrokenBarrierError):
            begun.wait(0.05)  # both are in the table at once
        return good(config, lock, resume)

    write = execute.write

    def written(grid, failures):
        facts = write(grid, failures)
        tables.append(json.dumps(facts))
        return facts

    monkeypatch.setattr(job, "run_locked", run)
    monkeypatch.setattr(execute, "write", written)
    with ThreadPoolExecutor(2) as pool:
        status = list(pool.map(lambda _: reproduce(), range(2)))
    assert status == [0, 0]
    assert len(pretend) == len({folder for folder, _ in pretend}) == 8
    assert set(_status(tmp_path).values()) == {"done"}
    assert tables[-1] == tables[-2]
    assert "failed" not in capsys.readouterr().err


def test_a_cell_that_another_process_finished_after_it_failed_here_is_done(
    reproduce, pretend, tmp_path, monkeypatch
):
    good = job.run_locked

    def run(config, lock, resume=False):
        report = good(config, lock, resume)
        if len(pretend) == 1:
            raise TrainingError("out of luck, but another process was not")
        return report

    monkeypatch.setattr(job, "run_locked", run)
    assert reproduce() == 0
    assert set(_status(tmp_path).values()) == {"done"}


@pytest.mark.parametrize("finished", [True, False])
def test_a_cell_in_use_is_waited_for_at_the_end(
    grid_of, table_file, pretend, monkeypatch, finished
):
    """The other process ends with a result or without one; then the cell is run here."""
    grid, good = grid_of(table_file), job.run_locked
    cell, lines = grid.chosen[0], []
    held, end = threading.Event(), threading.Event()
    monkeypatch.setattr(execute, "PAUSE", 0.01)

    def hold():
        with lock_folder(cell.folder) as lock:
            held.set()
            assert end.wait(60)
            if finished:
                good(cell.config, lock, resume=True)

    def report(line):
        lines.append(line)
        if line.startswith("waiting for other processes"):
            end.set()

    with ThreadPoolExecutor() as pool:
        other = pool.submit(hold)
        assert held.wait(60)
        facts, failed = execute.execute(grid, report)
        other.result()
    assert failed == {}
    assert {run["status"] for run in facts["runs"]} == {"done"}
    folders = [folder for folder, _ in pretend]
    assert folders.index(cell.folder) == 7, "the last one"
    assert len(folders) == 8
    assert sum(line.startswith("waiting for other processes") for line in lines) == 1


@pytest.mark.parametrize("name", ["table.json", "table.md"])
def test_a_table_is_not_written_through_a_link(grid_of, table_file, pretend, tmp_path, name):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match=rf"{name}: is not a regular file; nothing is written"):
        execute.execute(grid_of(table_file), print)
    assert (tmp_path / "precious").read_text() == "precious"
    assert not pretend


def test_tables_written_at_once_are_each_whole(grid_of, table_file, pretend, tmp_path):
    grid = grid_of(table_file)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: execute.write(grid, {}), range(40)))
    assert json.loads((tmp_path / "out/table.json").read_text())["table"] == "toys"
    assert sorted(os.listdir(tmp_path / "out")) == ["table.json", "table.md"]
