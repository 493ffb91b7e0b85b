"""Finished runs of other folders, by their ``table.json``."""

import json
import shutil
from pathlib import Path

import pytest

from adframe.cli.main import main
from adframe.tables.files import find_table
from adframe.tables.recorded import with_recorded
from adframe.tables.results import read_result

RUN = ("reproduce", "--data")


def _run(table_file, root, out, *more):
    return main([*RUN, str(root), str(table_file), "--out", str(out), *more])


def test_runs_of_another_folder_need_not_run_here(
    table_file, grid_of, pretend, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert _run(table_file, tmp_path, "there", "--only", "soft") == 0
    there = json.loads((tmp_path / "there/table.json").read_text())
    pretend.clear()
    assert _run(table_file, tmp_path, "here", "--recorded", "there/table.json") == 0
    assert len(pretend) == 4  # those of the other row
    shutil.rmtree(tmp_path / "there/soft")
    here = json.loads((tmp_path / "here/table.json").read_text())
    assert [run["status"] for run in here["runs"]] == ["done"] * 8
    assert [{**run, "folder": ""} for run in here["runs"][4:]] == [
        {**run, "folder": ""} for run in there["runs"][4:]
    ]
    pretend.clear()  # also what was itself taken from a file
    assert _run(table_file, tmp_path, "third", "--recorded", "here/table.json") == 0
    assert not pretend


def test_the_place_of_the_images_may_differ_and_nothing_else(
    table_file, pretend, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    text = table_file.read_text().replace(
        "[{}]", '[{set: {dataset: {name: image_folder, root: "{data}/train"}}}]'
    )
    table_file.write_text(text)
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
    assert _run(table_file, "one", "there") == 0
    pretend.clear()
    assert _run(table_file, "two", "here", "--recorded", "there/table.json") == 0
    assert not pretend
    table_file.write_text(text.replace("epochs: 1}", "epochs: 2}"))
    assert _run(table_file, "two", "here", "--recorded", "there/table.json") == 0
    assert len(pretend) == 8


def test_a_run_of_the_folder_itself_counts_before_a_recorded_one(
    table_file, grid_of, pretend, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert _run(table_file, tmp_path, "out") == 0
    facts = json.loads((tmp_path / "out/table.json").read_text())
    facts["runs"][0]["mean_auroc"] = 0.25
    (tmp_path / "other.json").write_text(json.dumps(facts))
    assert _run(table_file, tmp_path, "out", "--recorded", "other.json") == 0
    again = json.loads((tmp_path / "out/table.json").read_text())
    assert again["runs"][0]["mean_auroc"] != 0.25


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"runs": 3}',
        '{"runs": [3]}',
        '{"runs": [{}]}',
        '{"runs": [{"status": "done"}]}',
        '{"runs": [{"status": "done", "cell": "a/b/0", "settings": "x", "epochs": 1, "images": 2,'
        ' "scorers": 3, "seconds": 1, "floor": 0.5, "below_floor": false}]}',
        '{"runs": [{"status": "done", "cell": "a/b/0", "settings": {}, "epochs": 1, "images": 2,'
        ' "mean_auroc": "high", "scorers": {}, "seconds": 1, "floor": 0.5, "below_floor": false}]}',
    ],
)
def test_a_file_that_is_no_table_is_one_line(
    table_file, pretend, tmp_path, monkeypatch, capsys, text
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.json").write_text(text)
    assert _run(table_file, tmp_path, "out", "--recorded", "other.json") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "other.json" in error
    assert not pretend


def test_a_recorded_result_has_all_figures(table_file, grid_of, pretend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cell = grid_of(table_file).chosen[0]
    cell.folder.mkdir(parents=True)
    other = {"auroc": {"odd": 0.25}, "mean_auroc": 0.25, "pooled": {"auroc": 0.125}}
    main_figures = {"auroc": {"odd": 0.75}, "mean_auroc": 0.75}
    names = [spec.entry.name for spec in cell.config.scorer]
    result = {**main_figures, "scorers": {names[0]: other}, "seconds": 1.0, "epochs": 1}
    (cell.folder / "result.json").write_text(json.dumps(result))
    assert _run(table_file, tmp_path, tmp_path / "out", "--only", cell.name) == 0
    shutil.rmtree(cell.folder)
    argv = [str(tmp_path / "third"), "--recorded", str(tmp_path / "out/table.json")]
    assert _run(table_file, tmp_path, *argv, "--only", cell.name) == 0
    run = json.loads((tmp_path / "third/table.json").read_text())["runs"][0]
    assert run["mean_auroc"] == 0.75
    assert run["scorers"][names[0]]["pooled"] == {"auroc": 0.125}
    assert read_result(cell).status == "to do"


def test_options_that_are_newer_than_a_run_must_have_their_default(
    table_file, pretend, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert _run(table_file, tmp_path, "there") == 0
    facts = json.loads((tmp_path / "there/table.json").read_text())
    for run in facts["runs"]:
        del run["settings"]["backbone"]["stem"]  # as if the option were new
    (tmp_path / "old.json").write_text(json.dumps(facts))
    pretend.clear()
    assert _run(table_file, tmp_path, "here", "--recorded", "old.json") == 0
    assert not pretend
    for run in facts["runs"]:
        del run["settings"]["backbone"]["width"]  # the toys have another than the default
    (tmp_path / "old.json").write_text(json.dumps(facts))
    assert _run(table_file, tmp_path, "third", "--recorded", "old.json") == 0
    assert len(pretend) == 8


def test_the_recorded_runs_of_the_repository_fit_its_tables(grid_of, tmp_path):
    (tmp_path / "test/airplane").mkdir(parents=True)  # the layout of image files
    folder = Path(__file__).parents[3] / "docs/results/recorded"
    for path in folder.glob("*.json"):
        name, _, budget = path.stem.partition("-")
        grid = grid_of(find_table(name), budget)
        runs = {run["cell"] for run in json.loads(path.read_text())["runs"]}
        cells = with_recorded(grid, [path]).cells
        assert {cell.name for cell in cells if cell.recorded} == runs
        assert runs
