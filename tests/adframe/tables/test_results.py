"""Results of cells and of columns."""

import json

import pytest

from adframe.cli.main import main
from adframe.engine.report import result_json
from adframe.errors import UserError
from adframe.interfaces import Outcome, Report
from adframe.tables.markdown import markdown
from adframe.tables.results import read_result
from adframe.tables.summary import summary


def _write(cell, auroc, failed=None):
    outcomes = {"nearest": Outcome(auroc, {}), "second": Outcome({}, {})}
    _save(cell, Report(outcomes, {}, 1.0, 1, cell.folder, failed or {}))


def _save(cell, report):
    cell.folder.mkdir(parents=True, exist_ok=True)
    (cell.folder / "config.yaml").write_text(cell.config.yaml())
    (cell.folder / "result.json").write_text(json.dumps(result_json(report)))


@pytest.mark.parametrize("failed", [{}, {"pixel floor": "why"}, {"second": "why"}])
def test_a_run_without_outliers_to_test_with_is_done(grid_of, table_file, failed):
    cell = grid_of(table_file).chosen[0]
    _write(cell, {}, failed)
    result = read_result(cell)
    assert (result.status, result.value(None), result.value("odd")) == ("done", None, None)


def test_a_run_whose_main_scorer_failed_is_not_done(grid_of, table_file):
    cell = grid_of(table_file).chosen[0]
    _write(cell, {}, {"nearest": "2 of 4 scores are not finite"})
    assert read_result(cell).status == "half-finished"


def test_a_figure_is_that_of_all_sets_together_or_the_mean_over_sets(grid_of, table_file):
    cell = grid_of(table_file).chosen[0]
    nan = float("nan")
    metrics = {"pixel_auroc": {"crack": 0.5, "hole": 0.75}, "au_pro": {"crack": 0.25, "hole": nan}}
    outcome = Outcome({"crack": 0.625, "hole": 0.875}, {}, metrics=metrics)
    report = Report({"nearest": outcome}, {}, 1.0, 1, cell.folder)
    _save(cell, report)
    result = read_result(cell)
    assert [result.value(None, name) for name in (None, "auroc", "pixel_auroc")] == [75, 75, 62.5]
    assert [result.value(None, name) for name in ("au_pro", "best_f1")] == [None, None]
    assert [result.value("hole", name) for name in (None, "auroc", "pixel_auroc")] == [87.5] * 2 + [
        75
    ]
    outcome.pooled = {"auroc": 0.6875, "pixel_auroc": 0.5625, "au_pro": nan}
    _save(cell, report)
    result = read_result(cell)
    assert [result.value(None, name) for name in (None, "auroc", "pixel_auroc")] == [
        *(75, 68.75, 56.25)
    ]
    assert result.value(None, "au_pro") is None


@pytest.mark.parametrize(("pixels", "below"), [(0.5, False), (0.75, True)])
def test_a_result_knows_whether_it_is_below_its_floor(grid_of, table_file, pixels, below):
    cell = grid_of(table_file).chosen[0]
    floor = {"cosine": Outcome({"odd": pixels}, {})}
    _save(cell, Report({"nearest": Outcome({"odd": 0.625}, {})}, floor, 1.0, 1, cell.folder))
    assert read_result(cell).below_floor is below


@pytest.mark.parametrize("text", ["{}", "[]", '{"auroc": {}}', '{"mean_auroc": null}'])
def test_half_a_result_is_not_done(grid_of, table_file, text):
    cell = grid_of(table_file).chosen[0]
    _write(cell, {})
    (cell.folder / "result.json").write_text(text)
    assert read_result(cell).status == "half-finished"


@pytest.mark.parametrize(
    "scorers", [3, [], "x", {"nearest": 3}, {"nearest": {"auroc": 3}}, {"nearest": {"auroc": {}}}]
)
def test_damaged_scorers_are_no_result(grid_of, table_file, scorers):
    cell = grid_of(table_file).chosen[0]
    _write(cell, {"odd": 0.5})
    path = cell.folder / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"scorers": scorers}))
    assert read_result(cell).status == "half-finished"


def test_a_cell_without_auroc_is_a_dash_and_is_not_run_again(
    grid_of, table_file, pretend, tmp_path, capsys
):
    for cell in grid_of(table_file).chosen:
        if cell.name.startswith("plain/left"):
            _write(cell, {})
    assert main(["reproduce", str(table_file), "--out", str(tmp_path / "out")]) == 0
    assert len(pretend) == 6  # of 8
    facts = json.loads((tmp_path / "out/table.json").read_text())
    left, right, mean = facts["parts"][0]["rows"][0]["cells"]
    assert (left["mean"], left["done"], left["runs"]) == (None, 2, 2)
    assert right["mean"] is not None
    assert mean["mean"] is None  # of half of its tasks it would be another figure
    row = next(line for line in markdown(facts).splitlines() if line.startswith("| plain "))
    cells = [cell.strip().partition(" / ")[0] for cell in row.strip("|").split("|")]
    assert cells[4:] == ["-", "80.5 ± 0.7", "-"]
    assert "8 of 8 runs done" in capsys.readouterr().out


def test_a_set_of_outliers_that_a_run_lacks_is_a_dash(table_file, pretend, tmp_path):
    text = table_file.read_text().replace(
        "left: {tasks: [left]}", "left: {tasks: [left], outliers: none}"
    )
    table_file.write_text(text)
    assert main(["reproduce", str(table_file), "--out", str(tmp_path / "out")]) == 0
    facts = json.loads((tmp_path / "out/table.json").read_text())
    row = next(line for line in markdown(facts).splitlines() if line.startswith("| plain "))
    assert row.split("|")[5].strip().startswith("- / 80.0")


def test_a_column_may_show_another_scorer(grid_of, table_file):
    text = table_file.read_text()
    two = "[{name: nearest_cosine}, {name: knn}, {name: knn, k: 2}]"
    text = text.replace("epochs: 1}}}\n  part", f"epochs: 1}}, scorer: {two}}}}}\n  part")
    text = text.replace(
        "  mean: {tasks: [shapes]}",
        "  mean: {tasks: [shapes]}\n  near: {tasks: [left], scorer: knn}",
    )
    table_file.write_text(text)
    grid = grid_of(table_file)
    values = {"nearest_cosine": 0.5, "knn": 0.625, "knn_2": 0.75}
    for cell in grid.chosen:
        outcomes = {name: Outcome({"odd": of}, {}) for name, of in values.items()}
        _save(cell, Report(outcomes, {}, 1.0, 1, cell.folder))
    facts = summary(grid, {})
    cells = {cell["column"]: cell["mean"] for cell in facts["parts"][-1]["rows"][0]["cells"]}
    assert cells == {"near": 75}
    shown = markdown(facts)
    assert "## By task: knn" in shown
    assert "near: mean AUROC of knn" in shown
    assert facts["runs"][0]["scorers"]["knn"]["auroc"] == {"odd": 0.75}
    for cell in grid.chosen[:1]:  # one whose last has failed: not the one before it
        outcomes = {name: Outcome({"odd": 0.5}, {}) for name in list(values)[:2]}
        _save(cell, Report(outcomes, {}, 1.0, 1, cell.folder, {"knn_2": "not finite"}))
        assert read_result(cell).value(None, None, "knn") is None


def test_a_column_of_a_scorer_that_no_row_has_is_refused(grid_of, table_file):
    text = table_file.read_text()
    mean = "  mean: {tasks: [shapes]}"
    table_file.write_text(text.replace(mean, f"{mean}\n  near: {{tasks: [left], scorer: kde}}"))
    with pytest.raises(UserError, match="columns.near: no row has the scorer 'kde'"):
        grid_of(table_file)


@pytest.mark.parametrize(
    "changes",
    [
        {"floor": 3},
        {"floor": {"cosine": 3}},
        {"floor": {"cosine": {"mean_auroc": "x"}}},
        {"epochs": "many"},
        {"seconds": []},
        {"below_floor": "yes"},
    ],
)
def test_a_run_with_a_damaged_fact_is_done(grid_of, table_file, changes):
    cell = grid_of(table_file).chosen[0]
    _write(cell, {"odd": 0.5})
    path = cell.folder / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    result = read_result(cell)
    assert (result.status, result.value(None)) == ("done", 50)
    (name,) = changes
    assert getattr(result, name) in (None, False, cell.config.train.epochs)
