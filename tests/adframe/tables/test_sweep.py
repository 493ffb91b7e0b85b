"""A sweep: every combination is a row of a table, and the same command continues it."""

import json

import pytest

from adframe.cli.main import main
from adframe.errors import UserError
from adframe.tables.sweep import table_of


def words(toy_file, out, *over, on="local"):
    axes = [word for each in over for word in ("--over", each)]
    return ["sweep", str(toy_file), *axes, "--out", str(out), "--on", on]


def test_the_rows_are_all_combinations(toy_file):
    table = table_of(
        toy_file, ["a.b=1,2", "scorer=knn,{name: kde, x: [1, 2]}"], ["c=3"], 2, ["fpr"]
    )
    changes = [row["set"] for row in table["rows"].values()]
    kde = {"name": "kde", "x": [1, 2]}
    assert changes == [
        {"a.b": 1, "scorer": "knn"},
        {"a.b": 1, "scorer": kde},
        {"a.b": 2, "scorer": "knn"},
        {"a.b": 2, "scorer": kde},
    ]
    assert table["budgets"]["sweep"] == {"seeds": [0, 1], "set": {"c": 3}}
    assert list(table["columns"]) == ["AUROC", "fpr"]
    assert next(iter(table["rows"].values()))["title"] == "a.b=1, scorer=knn"


@pytest.mark.parametrize("over", ["a", "=1", "a=", "a= "])
def test_what_is_no_list_of_values_is_refused(toy_file, over):
    with pytest.raises(UserError, match="write KEY=V1,V2"):
        table_of(toy_file, [over], [], 1, [])


def test_too_many_runs_are_refused(toy_file):
    many = ",".join(map(str, range(101)))
    with pytest.raises(UserError, match="more than 10,000 runs"):
        table_of(toy_file, [f"a={many}", f"b={many}"], [], 1, [])


def test_a_sweep_runs_and_goes_on(toy_file, tmp_path, capsys):
    out = tmp_path / "sweep"
    command = words(toy_file, out, "train.epochs=1,2")
    assert main(command) == 0
    facts = json.loads((out / "table.json").read_text())
    assert [run["epochs"] for run in facts["runs"]] == [1, 2]
    assert {run["status"] for run in facts["runs"]} == {"done"}
    assert "train.epochs=1" in capsys.readouterr().out
    assert main(command) == 0
    assert " ..." not in capsys.readouterr().err  # nothing was run again
    assert main(words(toy_file, out, "train.epochs=1,3")) == 2
    assert "holds another sweep" in capsys.readouterr().err


def test_a_value_that_no_config_can_have_is_one_line(toy_file, tmp_path, capsys):
    assert main(words(toy_file, tmp_path / "x", "train.epochs=1,none")) == 2
    assert "train.epochs" in capsys.readouterr().err
