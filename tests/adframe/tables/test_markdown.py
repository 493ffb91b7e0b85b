"""Markdown text of tables."""

import json

from adframe.cli.main import main
from adframe.tables.markdown import markdown


def test_the_whole_table(table_file, tmp_path, pretend):
    assert main(["reproduce", str(table_file), "--out", str(tmp_path / "out")]) == 0
    lines = (tmp_path / "out/table.md").read_text().splitlines()
    *head, first, rule, plain, soft, rival = lines[:15]
    assert head == [
        "# toys: toys",
        "",
        "Budget `smoke`: **1 epoch, 7 training images** a run, seeds 0, 1; 8 of 8 runs done. Tiny.",
        "",
        "Published: Nobody, Table 9; 9,000 epochs, three trials. "
        "**This budget is not the published one**: differences measure it too.",
        "",
        "AUROC in percent: ours ± sd over seeds / published / difference.",
        "",
        "## Toys",
        "",
    ]
    assert len({len(line) for line in (first, rule, plain, soft, rival)}) == 1  # one under another
    assert _cells(first) == ["", "", "epochs", "images", "Left", "Right", "Mean"]
    assert _cells(plain) == [
        *("plain", "Plain", "1", "7", "85.5 ± 0.7 / 80.0 ± 0.5 / +5.5"),
        *("80.5 ± 0.7 / 90.0 ± 0.4 / -9.5", "83.0 ± 0.7 / 85.0 / -2.0"),
    ]
    assert _cells(soft) == [
        *("soft", "Soft [1]", "1", "7", "95.5 ± 0.7 / 90.0 / -"),
        *("90.5 ± 0.7 / 91.0 / -", "93.0 ± 0.7 / 90.5 / -"),
    ]
    nothing = ["- / 70.0 / -", "- / - / -", "- / 75.0 / -"]
    assert _cells(rival) == ["rival", "Rival [2,3]", "-", "-", *nothing]
    assert lines[15:] == [
        "",
        "1. another measure",
        "2. one figure is lost",
        "3. no config yet",
        "",
        "## By task",
        "",
        "|       | left       | right      |",
        "|-------|------------|------------|",
        "| plain | 85.5 ± 0.7 | 80.5 ± 0.7 |",
        "| soft  | 95.5 ± 0.7 | 90.5 ± 0.7 |",
    ]


def _cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_what_a_budget_leaves_out_or_replaces_is_in_the_heading(table_file, tmp_path, pretend):
    text = table_file.read_text() + "  other: {seeds: [0], tasks: {left: [right]}}\n"
    table_file.write_text(text)
    out = tmp_path / "out"
    assert main(["reproduce", str(table_file), "--out", str(out), "--budget", "part"]) == 0
    text = (out / "table.md").read_text()
    assert "| Mean (1 of 2 tasks) " in text
    assert "Part of a column's tasks is compared with the figure for all of them." in text
    assert "By task" not in text
    assert "seeds 0; 2 of 2 runs done" in text
    assert main(["reproduce", str(table_file), "--out", str(out), "--budget", "other"]) == 0
    text = (out / "table.md").read_text()
    assert "| Left (right in its place) " in text
    assert "Part of a column's tasks" not in text
    cell = json.loads((out / "table.json").read_text())["parts"][0]["rows"][0]["cells"][0]
    assert cell["mean"] is not None
    assert cell["difference"] is None  # of other data than the published figure


def test_the_published_budget_is_not_called_another(table_file, tmp_path, pretend):
    path = table_file
    path.write_text(path.read_text().replace("note: Tiny.", "as_published: true"))
    assert main(["reproduce", str(path), "--out", str(tmp_path / "out")]) == 0
    assert "not the published one" not in (tmp_path / "out/table.md").read_text()


def test_a_bar_in_a_text_does_not_break_the_table(table_file, tmp_path, pretend):
    table_file.write_text(table_file.read_text().replace("soft: {", "soft: {title: a|b, "))
    assert main(["reproduce", str(table_file), "--out", str(tmp_path / "out")]) == 0
    facts = json.loads((tmp_path / "out/table.json").read_text())
    row = next(line for line in markdown(facts).splitlines() if line.startswith("| soft "))
    assert "a\\|b" in row
    assert row.replace("\\|", "").count("|") == 8


def test_a_table_without_rows_shows_what_is_published(tmp_path, capsys):
    path = tmp_path / "none.yaml"
    published = "published: tables/published/table3"
    path.write_text(f"title: none\n{published}\nbudgets: {{smoke: {{seeds: [0]}}}}\n")
    assert main(["reproduce", str(path), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "no cells to run" in printed
    assert "- / 94.3 / -" in printed


def test_a_table_that_nobody_published_shows_its_own_figures(table_file, tmp_path, pretend):
    table_file.write_text(table_file.read_text().replace("published: published.yaml\n", ""))
    out = tmp_path / "out"
    assert main(["reproduce", str(table_file), "--out", str(out), "--only", "plain"]) == 0
    lines = (out / "table.md").read_text().splitlines()
    rows = {cells[0]: cells[4:] for line in lines[:12] if len(cells := _cells(line)) == 7}
    assert rows["plain"] == ["85.5 ± 0.7", "80.5 ± 0.7", "83.0 ± 0.7"]
    assert rows["soft"] == ["(0 of 2 runs)", "(0 of 2 runs)", "(0 of 4 runs)"]
    assert not any("ublished" in line for line in lines)


def test_a_task_shows_the_seeds_that_are_done(table_file, tmp_path, pretend):
    out = tmp_path / "out"
    assert main(["reproduce", str(table_file), "--out", str(out), "--only", "soft/left/1"]) == 0
    lines = (out / "table.md").read_text().partition("## By task")[2].splitlines()
    assert _cells(lines[4]) == ["plain", "(0 of 2 runs)", "(0 of 2 runs)"]
    assert _cells(lines[5]) == ["soft", "96.0 (1 of 2 runs)", "(0 of 2 runs)"]


def test_cells_below_the_floor_are_counted(table_file, tmp_path, pretend):
    command = ["reproduce", str(table_file), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    assert "floor" not in (tmp_path / "out/table.md").read_text()
    for path in list((tmp_path / "out").rglob("result.json"))[:3]:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"below_floor": True}))
    assert main(command) == 0
    text = (tmp_path / "out/table.md").read_text()
    assert "**3 of 8 cells are below the raw-pixel floor**" in text


def test_columns_of_different_figures_name_them_and_tasks_are_shown_by_figure(
    table_file, tmp_path, pretend
):
    text = table_file.read_text()
    text = text.replace("right: {tasks: [right]}", "right: {tasks: [right], metric: best_f1}")
    table_file.write_text(text)
    out = tmp_path / "out"
    assert main(["reproduce", str(table_file), "--out", str(out)]) == 0
    for path in out.glob("plain/*/*/result.json"):
        more = {"metrics": {"best_f1": {"a": 0.2, "b": 0.4}}}
        path.write_text(json.dumps(json.loads(path.read_text()) | more))
    assert main(["reproduce", str(table_file), "--out", str(out)]) == 0
    text = (out / "table.md").read_text()
    assert "Figures (Left: mean AUROC, Right: best_f1, Mean: mean AUROC) in percent" in text
    plain = next(_cells(line) for line in text.splitlines() if line.startswith("| plain "))
    assert plain[4].startswith("85.5 ± 0.7 / 80.0")
    assert plain[5].startswith("30.0 ± 0.0 / 90.0")
    by_figure = text.partition("## By task: best_f1")[2].splitlines()
    assert _cells(by_figure[4]) == ["plain", "30.0 ± 0.0", "30.0 ± 0.0"]
    assert _cells(by_figure[5]) == ["soft", "-", "-"]
