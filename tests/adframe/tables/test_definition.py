"""Table files: allowed content, and the bundled tables."""

from pathlib import Path

import pytest

from adframe.config.bundled import configs_folder
from adframe.config.model import load_config
from adframe.errors import UserError
from adframe.tables.definition import read_table
from adframe.tables.files import find_table

ROOT = Path(__file__).parents[3]
TABLES = [path.stem for path in sorted((configs_folder() / "tables").glob("*.yaml"))]


def test_the_configs_are_found_from_the_package_and_ship_with_it():
    assert configs_folder().resolve() == ROOT / "configs"
    shipped = {path.resolve() for path in (ROOT / "adframe").glob("configs/**/*.yaml")}
    assert shipped == set((ROOT / "configs").rglob("*.yaml"))


def test_a_table_is_a_name_or_a_path(table_file):
    assert find_table("table6") == configs_folder() / "tables/table6.yaml"
    assert find_table(str(table_file)) == table_file
    with pytest.raises(
        UserError, match="tabel6: no such file or bundled config; did you mean 'table6'"
    ):
        find_table("tabel6")


@pytest.mark.parametrize("name", TABLES)
def test_bundled_tables_are_valid_at_every_budget(name, grid_of):
    path = find_table(name)
    table = read_table(path)
    own_epochs = ("baselines", "table3")  # where each method has epochs of its own
    assert set(table.file.budgets) >= {"smoke", "short", "full"}
    if table.published:
        printed = {column for part in table.published.parts.values() for column in part.columns}
        first = {name for name, column in table.file.columns.items() if column.scorer is None}
        assert first <= printed
    for budget in table.file.budgets.values():
        assert set(table.used(budget)) <= set(table.file.columns)
    for budget in table.file.budgets:
        grid = grid_of(path, budget, need_data=False)
        assert len(grid.cells) == len(grid.chosen)
        if table.published and name not in own_epochs:
            own = {
                row: at.set_at.get(budget, {}).get("train", {}).get("epochs")
                for row, at in table.file.rows.items()
            }
            assert all(own[c.row] in (None, c.config.train.epochs) for c in grid.cells)
            epochs = {c.config.train.epochs for c in grid.cells if own[c.row] is None}
            known = {"smoke": {1}, "short": {4}, "long": {16}, "full": {2048}}
            assert epochs in (known[budget], set())


def test_each_row_of_a_long_comparison_ends_with_the_common_score(grid_of):
    grid = grid_of(find_table("baselines"), "long", need_data=False)
    assert len({cell.task.name for cell in grid.cells}) == 10
    for cell in grid.cells:
        scorers = cell.config.dump()["scorer"]
        last = (scorers if isinstance(scorers, list) else [scorers])[-1]
        assert (last["name"], last["views"], last.get("augmentation")) == (
            "nearest_cosine",
            1,
            None,
        )


def test_every_row_of_table_6_and_table_5_runs(grid_of):
    shifts = ["perm", "sobel", "noise", "blur", "rotation"]
    for name, rows in {"table6": list("123456789"), "table5": shifts}.items():
        grid = grid_of(find_table(name), "smoke")
        assert [cell.name for cell in grid.cells] == [f"{row}/faces/0" for row in rows]


@pytest.mark.parametrize("budget", ["smoke", "short"])
@pytest.mark.parametrize("below", ["", "magnetic_tile"])
def test_table_3_takes_a_folder_of_one_category_or_the_folder_above(
    tmp_path, grid_of, budget, below
):
    (tmp_path / below / "train/good").mkdir(parents=True)
    for cell in grid_of(find_table("table3"), budget, root=tmp_path).cells:
        dataset = cell.config.dump()["dataset"]
        assert (dataset["root"], dataset["category"]) == (str(tmp_path / below), None)


def test_table_3_trains_a_detector_for_each_category_of_mvtec(tmp_path, grid_of):
    (tmp_path / "bottle/train/good").mkdir(parents=True)
    cells = grid_of(find_table("table3"), "full", root=tmp_path, only=["droc"]).chosen
    assert len(cells) == 15 * 5
    assert {cell.config.dump()["dataset"]["category"] for cell in cells} == {
        cell.task.name for cell in cells
    }
    with pytest.raises(UserError, match="holds no bottle/train/good; name another folder"):
        grid_of(find_table("table3"), "full", root=tmp_path / "bottle")


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [("metric", "pixel_aurok", "pixel_auroc"), ("scorer", "nearest_cosin", "nearest_cosine")],
)
def test_a_column_of_an_unknown_component_is_refused(table_file, grid_of, kind, wrong, right):
    text = table_file.read_text()
    table_file.write_text(text.replace("{tasks: [left]}", f"{{tasks: [left], {kind}: {wrong}}}"))
    line = f"toys: columns.left: no {kind} '{wrong}'; did you mean '{right}'"
    with pytest.raises(UserError, match=line):
        grid_of(table_file)


def test_the_rows_of_table_6_differ_as_the_paper_says(grid_of):
    """From the resolved configs: stages (HA), soft aggregation (SA) if UniCLR, a classifier."""
    facts = {}
    for cell in grid_of(find_table("table6"), "smoke").cells:
        config = cell.config.dump()
        losses = [term["loss"] for term in config["objective"]]
        names = [loss["name"] for loss in losses]
        soft = [loss["soft_aggregation"] for loss in losses if loss["name"] == "uniclr"]
        facts[cell.row] = (
            config["schedule"]["stages"],
            soft[-1] != "none" if soft else None,
            "shift_classification" in names,
        )
        assert soft[:-1] in ([], ["none"])  # softly at the last stage only
        assert config["method"]["divisor"] == "network"  # a stage has one factor in all rows
        assert config["method"]["pre_shift"]["name"] == "flip"  # not after a rotation
        assert config["schedule"]["augmentation"]["flip_probability"] == 0
    assert facts == {
        "1": ([4], None, True),
        "2": ([4], False, True),
        "3": ([2, 3, 4], False, True),
        "4": ([2, 3, 4], True, True),
        "5": ([4], None, False),
        "6": ([4], False, False),
        "7": ([4], True, False),
        "8": ([2, 3, 4], False, False),
        "9": ([2, 3, 4], True, False),
    }


def test_unicon_has_plain_config_is_the_papers_best_row():
    plain, row9 = (load_config(f"unicon_ha/{name}").dump() for name in ("cifar10", "table6/row9"))
    assert plain == row9
    assert plain["schedule"]["stages"] == [2, 3, 4]


@pytest.mark.parametrize(
    ("holds", "name"), [("cifar-10-batches-py", "cifar10"), ("test/airplane", "image_folder")]
)
def test_cifar10_is_taken_in_the_form_it_is_found_in(tmp_path, grid_of, holds, name):
    (tmp_path / holds).mkdir(parents=True)
    grid = grid_of(find_table("table6"), "short", root=tmp_path)
    assert len(grid.cells) == 9 * 3 * 2
    dataset = grid.cells[0].config.dump()["dataset"]
    assert dataset["name"] == name
    assert dataset["root"] in (str(tmp_path), str(tmp_path / "train"))
    assert (dataset["normal"], dataset["train_limit"]) == ("automobile", 1000)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("title: toys", "titel: toys", r"toys.yaml:2: titel: unknown key; did you mean 'title'"),
        ("data: shapes,", "data: shape,", r"tasks.shapes.data: no data 'shape'; did you mean"),
        ("{tasks: [left]}", "{tasks: [lef]}", r"toys.yaml:9: columns.left.tasks: no task 'lef'"),
        ("vary: dataset.normal, ", "", "tasks.shapes: give both 'vary' and 'values', or neither"),
        ("values: [left, right]", "values: [left, left]", "another task is called 'left'"),
        ("tasks: [left]}\n", "tasks: {lft: [left]}}\n", "budgets.part.tasks: no column 'lft'"),
        ("soft: {", "so ft: {", "rows.so ft: an id holds letters"),
        ("seeds: [0, 1]", "seeds: []", "budgets.smoke.seeds: must have 1 items or more"),
        ("seeds: [0, 1]", "images: {shape: 4}, seeds: [0]", "no task group 'shape'; did you"),
        ("soft: {", "soft: {set_at: {smoak: {}}, ", "no budget 'smoak'; did you mean 'smoke'"),
        ("set: {train: {epochs: 1}}}", "set: [train]}", "budgets.smoke.set: must be a mapping"),
        ("part: {", "part: {extends: smoak, ", "part.extends: no budget 'smoak' above this"),
    ],
)  # fmt: skip
def test_a_table_file_says_what_is_wrong_with_it_and_where(table_file, old, new, line):
    text = table_file.read_text()
    assert old in text
    before, _, after = text.rpartition(old) if "part" in line else text.partition(old)
    table_file.write_text(before + new + after)
    with pytest.raises(UserError, match=line):
        read_table(table_file)


def test_the_documented_table_is_one(tmp_path):
    text = (ROOT / "docs/how-to/tables.md").read_text()
    (tmp_path / "own.yaml").write_text(text.partition("```yaml\n")[2].partition("```")[0])
    table = read_table(tmp_path / "own.yaml")
    assert list(table.tasks) == ["good", "better"]
    assert table.used(table.budget("long")) == {"mean": ["good"]}
