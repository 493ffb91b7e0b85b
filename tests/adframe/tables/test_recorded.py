"""Finished runs of other folders, by their ``table.json``."""

import json
import shutil
from pathlib import Path

import pytest

from adframe.cli.main import main
from adframe.tables.files import find_table
from adframe.tables.grid import below
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


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"runs": 3}'])
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


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"mean_auroc": "high"}, "mean_auroc"),
        ({"mean_auroc": float("nan")}, "mean_auroc"),
        ({"mean_auroc": 7}, "mean_auroc"),
        ({"auroc": {"odd": 10**400}}, "auroc.odd"),
        ({"auroc": None}, "auroc"),
        ({"scorers": 3}, "scorers"),
        ({"scorers": {"knn": []}}, "scorers.knn"),
        ({"scorers": {"knn": {"auroc": {}, "mean_auroc": -5}}}, "scorers.knn.mean_auroc"),
        ({"settings": None}, "settings"),
        ({"below_floor": 1}, "below_floor"),
        ({"floor": "\x1b[31m"}, "floor"),
        ({"epochs": True}, "epochs"),
    ],
)
def test_a_wrong_value_of_a_run_is_one_line(
    table_file, pretend, tmp_path, monkeypatch, capsys, changes, key
):
    monkeypatch.chdir(tmp_path)
    assert _run(table_file, tmp_path, "there", "--only", "soft/left/0") == 0
    facts = json.loads((tmp_path / "there/table.json").read_text())
    facts["runs"] = [{**run, **changes} for run in facts["runs"] if run["status"] == "done"]
    (tmp_path / "other.json").write_text(json.dumps(facts))
    pretend.clear()
    capsys.readouterr()
    assert _run(table_file, tmp_path, "here", "--recorded", "other.json") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"other.json: runs.0 is no finished run: {key}: ")
    assert error.count("\n") == 1
    assert not pretend


def test_settings_that_are_no_config_fit_nothing(
    table_file, pretend, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert _run(table_file, tmp_path, "there", "--only", "soft/left") == 0
    facts = json.loads((tmp_path / "there/table.json").read_text())
    deep: dict[str, object] = {}
    for _ in range(900):
        deep = {"a": deep}
    done = [run for run in facts["runs"] if run["status"] == "done"]
    for run, settings in zip(done, (deep, {"train": 3}), strict=True):
        run |= {"settings": settings, "config": "another"}
    (tmp_path / "other.json").write_text(json.dumps(facts))
    pretend.clear()
    capsys.readouterr()
    assert _run(table_file, tmp_path, "here", "--recorded", "other.json") == 0
    assert "other.json: 0 of 2 finished runs fit this table\n" in capsys.readouterr().err
    assert len(pretend) == 8


def test_the_first_file_counts_and_a_dry_run_names_recorded_cells(
    table_file, pretend, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert _run(table_file, tmp_path, "there", "--only", "soft") == 0
    facts = json.loads((tmp_path / "there/table.json").read_text())
    for run in facts["runs"]:
        run["mean_auroc"] = run["mean_auroc"] and 0.25
    (tmp_path / "second.json").write_text(json.dumps(facts))
    two = ("--recorded", "there/table.json", "--recorded", "second.json")
    capsys.readouterr()
    assert _run(table_file, tmp_path, "here", *two, "--only", "soft", "--json") == 0
    shown = json.loads(capsys.readouterr().out)["runs"][4:]
    assert all(run["mean_auroc"] > 0.5 and run["folder"] is None for run in shown)
    pretend.clear()
    assert _run(table_file, tmp_path, "here", *two, "--dry-run", "--json") == 0
    cells = json.loads(capsys.readouterr().out)
    assert [cell["status"] for cell in cells] == ["to do"] * 4 + ["recorded"] * 4
    assert not pretend


def test_a_path_below_the_folder_of_images_is_the_same_without_the_marker():
    values = {"a": ["/data/x", "/data", "/data2/x", 3, None], "b": {"c": "say /data"}}
    there = below(values, "/data", "{data}")
    assert there == {"a": ["{data}/x", "{data}", "/data2/x", 3, None], "b": {"c": "say /data"}}
    assert below(there, "{data}", "/data") == values


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
        run["config"] = "another"
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
    for layout in ("test/airplane", "magnetic_tile/train/good"):
        (tmp_path / layout).mkdir(parents=True)
    lines: list[str] = []
    folder = Path(__file__).parents[3] / "docs/results/recorded"
    for path in folder.glob("*.json"):
        name, _, budget = path.stem.partition("-")
        grid = grid_of(find_table(name), budget)
        runs = {run["cell"] for run in json.loads(path.read_text())["runs"]}
        cells = with_recorded(grid, [path], lines.append).cells
        assert {cell.name for cell in cells if cell.recorded} == runs
        assert runs
