"""Cells: rows x tasks x seeds, each with its config and its folder."""

import pytest

from adframe.errors import UserError

ALL = [
    f"{row}/{task}/{seed}"
    for row in ("plain", "soft")
    for task in ("left", "right")
    for seed in (0, 1)
]


def _names(cells):
    return [cell.name for cell in cells]


def test_a_grid_is_rows_by_tasks_by_seeds(table_file, grid_of):
    grid = grid_of(table_file)
    assert _names(grid.cells) == _names(grid.chosen) == ALL
    assert grid.used == {"left": ["left"], "right": ["right"], "mean": ["left", "right"]}
    for cell in grid.cells:
        config = cell.config.dump()
        assert config["seed"] == cell.seed
        assert config["dataset"]["normal"] == cell.task.name
        assert config["train"]["epochs"] == 1
        soft = config["objective"][1]["loss"]["soft_aggregation"]
        assert soft == ("positives" if cell.row == "soft" else "pairwise")
    assert len({cell.folder for cell in grid.cells}) == 8


def test_a_budget_may_run_some_tasks_and_other_seeds(table_file, grid_of):
    grid = grid_of(table_file, "part")
    assert _names(grid.cells) == ["plain/left/0", "soft/left/0"]
    assert grid.used == {"left": ["left"], "mean": ["left"]}
    assert _names(grid_of(table_file, "part", seeds=3).cells)[:3] == [
        f"plain/left/{n}" for n in range(3)
    ]


def test_another_config_is_another_folder(table_file, grid_of):
    before = {cell.name: cell.folder for cell in grid_of(table_file).cells}
    again = {cell.name: cell.folder for cell in grid_of(table_file).cells}
    assert before == again
    table_file.write_text(table_file.read_text().replace("epochs: 1}", "epochs: 2}"))
    after = {cell.name: cell.folder for cell in grid_of(table_file).cells}
    assert not set(before.values()) & set(after.values())
    text = table_file.read_text().replace("aggregation: positives", "temperature: 0.25")
    table_file.write_text(text)
    last = {cell.name: cell.folder for cell in grid_of(table_file).cells}
    assert {name for name in ALL if after[name] != last[name]} == {n for n in ALL if "soft" in n}


def test_a_row_may_change_more_at_one_budget(table_file, grid_of):
    text = table_file.read_text()
    table_file.write_text(text.replace("soft: {", "soft: {set_at: {smoke: {train: {epochs: 7}}}, "))
    epochs = {cell.row: cell.config.train.epochs for cell in grid_of(table_file).cells}
    assert epochs == {"plain": 1, "soft": 7}


@pytest.mark.parametrize(
    ("only", "chosen"),
    [
        (["soft"], ALL[4:]),
        (["*/left"], [name for name in ALL if "/left/" in name]),
        (["plain/right/1", "soft/left/0"], ["plain/right/1", "soft/left/0"]),
        (["p*/shapes/0"], ["plain/left/0", "plain/right/0"]),
    ],
)
def test_only_chooses(table_file, grid_of, only, chosen):
    grid = grid_of(table_file, only=only)
    assert _names(grid.chosen) == chosen
    assert _names(grid.cells) == ALL  # the table is of all


@pytest.mark.parametrize(
    ("only", "hint"),
    [("soff", "; did you mean 'soft'?"), ("soft/lift", "; did you mean 'soft/left'?"),
     ("soft/left/9", "; did you mean 'soft/left/1'?"), ("a/b/c/d", "")],
)  # fmt: skip
def test_only_of_no_cell_names_the_nearest(table_file, grid_of, only, hint):
    with pytest.raises(UserError, match=f"--only {only}: the table has no such cell") as caught:
        grid_of(table_file, only=[only])
    assert str(caught.value).endswith(hint or "budget")


def test_the_form_of_the_data_is_told_by_what_the_root_holds(table_file, grid_of, tmp_path, shapes):
    forms = """
  shapes:
    - {holds: records.bin, set: {dataset: {size: 8}}, note: records}
    - {holds: left, set: {dataset: {root: "{data}"}}, note: folders}
"""
    text = table_file.read_text().replace("\n  shapes: [{}]\n", forms)
    table_file.write_text(text)
    with pytest.raises(
        UserError, match="holds no records.bin or left; name another folder with --da"
    ):
        grid_of(table_file)
    grid = grid_of(table_file, root=shapes)
    assert grid.sources["shapes"].note == "folders"
    assert {cell.config.dump()["dataset"]["root"] for cell in grid.cells} == {str(shapes.resolve())}
    (tmp_path / "records.bin").touch()
    assert {cell.config.dump()["dataset"]["size"] for cell in grid_of(table_file).cells} == {8}
    (tmp_path / "records.bin").unlink()
    assert len(grid_of(table_file, need_data=False).cells) == 8


def test_what_is_wrong_with_a_row_is_said_if_it_is_to_run(table_file, grid_of):
    table_file.write_text(table_file.read_text().replace("aggregation: positives", "temprature: 1"))
    with pytest.raises(UserError) as caught:
        grid_of(table_file)
    (line,) = str(caught.value).splitlines()  # once, not for each task and seed
    where = f"row soft: {table_file}:14: objective.1.loss.soft_temprature: unknown key"
    assert line.startswith(where)
    assert line.endswith("did you mean 'soft_temperature'?")
    assert _names(grid_of(table_file, only=["plain"]).cells) == ALL[:4]


def test_a_budget_that_is_not_there(table_file, grid_of):
    with pytest.raises(
        UserError, match=r"toys: no budget 'smok'; did you mean 'smoke'\? \(budgets:"
    ):
        grid_of(table_file, "smok")


def test_a_budget_may_extend_another_and_say_what_differs(table_file, grid_of):
    longer = "  long: {extends: part, seeds: [3], set: {train: {epochs: 9}, scorer: {views: 2}}}\n"
    table_file.write_text(table_file.read_text() + longer)
    grid = grid_of(table_file, "long")
    assert _names(grid.cells) == ["plain/left/3", "soft/left/3"]
    dumps = [cell.config.dump() for cell in grid.cells]
    assert [(d["train"]["epochs"], d["scorer"][0]["views"]) for d in dumps] == [(9, 2)] * 2


def test_an_integer_may_vary(table_file, grid_of):
    text = table_file.read_text().replace("vary: dataset.normal", "vary: train.batch_size")
    for word, number in {"left": 5, "right": 6}.items():
        text = text.replace(f"tasks: [{word}]", f'tasks: ["{number}"]')
    table_file.write_text(text.replace("values: [left, right]", "values: [5, 6]"))
    cells = grid_of(table_file).cells
    assert {(c.task.name, c.config.train.batch_size) for c in cells} == {("5", 5), ("6", 6)}


def test_the_config_of_a_row_may_be_bundled(table_file, grid_of, toy_file):
    text = table_file.read_text().replace("vary: dataset.normal", "vary: dataset.name")
    text = text.replace("values: [left, right]", "values: [lfw_faces]").replace(
        "right: {tasks", "#"
    )
    text = text.replace("[left]", "[lfw_faces]")
    text = text.replace(f"plain: {{config: {toy_file}", "plain: {config: quickstart")
    table_file.write_text(text)
    (cell, _) = grid_of(table_file, only=["plain"]).chosen
    assert cell.config.source == "configs/quickstart.yaml"
    table_file.write_text(text.replace("quickstart", "quikstart"))
    with pytest.raises(UserError, match="^row plain: quikstart: no such file .* 'quickstart'"):
        grid_of(table_file, only=["plain"])
