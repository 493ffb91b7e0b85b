"""Tests of the scripts in ``tools/``."""

import json
from pathlib import Path

import check_configs
import pytest
import recorded_runs

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_bundled_configs_are_valid():
    assert list(check_configs.problems(ROOT / "configs")) == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("x.yaml", "train: {epoch: 1}", "x.yaml:1: train.epoch: unknown key"),
        ("x.yaml", "train: {epochs: 1}", "dataset: missing"),
        ("base/x.yaml", "objective: [{loss: nothing}]", "no loss named 'nothing'"),
        ("tables/x.yaml", "titel: A table", "x.yaml:1: titel: unknown key"),
        ("tables/published/x.yaml", "source: nobody", "protocol: missing"),
    ],
)
def test_a_problem_is_one_line(tmp_path, name, text, problem):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    lines = list(check_configs.problems(tmp_path))
    assert any(problem in line for line in lines), lines


def test_a_base_need_not_be_complete(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base/x.yaml").write_text("train: {epochs: 1}")
    assert check_configs.main([str(tmp_path)]) == 0


def test_problems_end_with_status_1(tmp_path, capsys):
    (tmp_path / "x.yaml").write_text("seed: -1")
    assert check_configs.main([str(tmp_path)]) == 1
    assert "x.yaml:1: seed:" in capsys.readouterr().out


def test_finished_runs_are_kept_one_a_line(tmp_path):
    def table(name, *runs):
        names = ("cell", "config", "status", "mean_auroc")
        facts = {"runs": [{**dict(zip(names, run, strict=True)), "folder": "x"} for run in runs]}
        path = tmp_path / name
        path.write_text(json.dumps(facts))
        return path

    one = table("one.json", ("b/c/0", "s", "done", 0.5), ("a/c/0", "s", "to do", None))
    two = table("two.json", ("b/c/0", "s", "done", 0.75), ("a/c/0", "t", "done", 0.25))
    out = tmp_path / "out.json"
    recorded_runs.main(out, [one])
    recorded_runs.main(out, [two])
    _, *lines, _, _ = out.read_text().split("\n")
    assert len(lines) == 2
    runs = json.loads(out.read_text())["runs"]
    assert [(run["cell"], run["mean_auroc"], run["folder"]) for run in runs] == [
        ("a/c/0", 0.25, None),
        ("b/c/0", 0.75, None),
    ]
