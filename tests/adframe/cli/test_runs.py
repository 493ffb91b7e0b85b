"""``adframe runs`` and ``adframe compare``: what they print, and how they refuse."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from adframe.cli.main import main

SCORES = {"inliers": [0.1, 0.2, 0.35], "odd": [0.3, 0.4]}


@pytest.fixture
def several(fake_run, tmp_path, monkeypatch):
    """Three finished runs, one that is half-finished and one that is damaged, in ``runs``."""
    monkeypatch.chdir(tmp_path)
    made = ("r9", 0.5, 0, "cat"), ("r10", 0.9, 1, "dog"), ("x", 0.7, 2, "cat")
    for name, auroc, seed, normal in made:
        fake_run(tmp_path / "runs" / name, SCORES, auroc=auroc, seed=seed, normal=normal)
    fake_run(tmp_path / "runs/half", lr=0.2)
    fake_run(tmp_path / "runs/lost", SCORES)
    (tmp_path / "runs/lost/result.json").write_text("{")


@pytest.fixture
def listed(several, capsys):
    """``listed(...)``: names of the runs that the command lists."""

    def listed(*words):
        assert main(["runs", *words, "--json"]) == 0
        return [row["name"] for row in json.loads(capsys.readouterr().out)]

    return listed


def test_the_table_of_runs(several, capsys):
    assert main(["runs"]) == 0
    head, *rows, last = capsys.readouterr().out.splitlines()
    assert re.split("  +", head) == [
        "name", "data", "normal", "method", "objective", "scorer", "seed", "epochs", "auroc",
        "floor", "seconds", "date", "status",
    ]  # fmt: skip
    cells = {row.split()[0]: re.split("  +", row.strip()) for row in rows}
    assert list(cells) == ["half", "lost", "r9", "r10", "x"]
    assert cells["r10"][1:11] == [
        "photos", "dog", "contrast", "pull+push", "near+far", "1", "4", "0.9000", "0.5000", "12",
    ]  # fmt: skip
    assert cells["half"][7:11] == ["2/4", "-", "-", "6"]
    assert cells["half"][-1] == "half-finished"
    assert cells["lost"][-1].startswith("damaged: result.json: not valid JSON")
    assert last == "runs: 5 runs"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--sort", "auroc"], ["r9", "x", "r10", "half", "lost"]),
        (["--sort", "auroc", "--reverse"], ["r10", "x", "r9", "half", "lost"]),
        (["--sort", "seed", "--where", "status=finished"], ["r9", "r10", "x"]),
        (["--where", "normal=cat"], ["r9", "x"]),
        (["--where", "normal=ca"], []),
        (["--where", "auroc=0.9"], ["r10"]),
        (["--where", "auroc=0.9000"], ["r10"]),
        (["--where", "auroc=high"], []),
        (["--where", "normal=cat", "--where", "seed=2"], ["x"]),
        (["--where", "optimizer.lr=0.2"], ["half"]),
        (["--where", "objective.1.loss.name=push", "--where", "name=r9"], ["r9"]),
        (["--sort", "optimizer.lr", "--reverse"], ["half", "lost", "r9", "r10", "x"]),
    ],
)
def test_runs_are_sorted_and_filtered(listed, words, names):
    assert listed(*words) == names


def test_a_key_of_the_config_becomes_a_column(several, capsys):
    assert main(["runs", "--where", "optimizer.lr=0.1"]) == 0
    head, *rows, last = capsys.readouterr().out.splitlines()
    at = re.split("  +", head).index("optimizer.lr")
    assert {re.split("  +", row)[at] for row in rows} == {"0.1"}
    assert last == "runs: 4 of 5 runs"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--sort", "aurok"], "aurok: neither a column nor a key .*; did you mean 'auroc'?"),
        (["--where", "optimiser.x=1"], "optimiser.x: neither a column nor a key"),
        (["--where", "auroc"], "--where auroc: write KEY=VALUE"),
        (["nowhere"], "nowhere: no such folder"),
    ],
)
def test_a_mistake_is_one_line(several, capsys, words, line):
    assert main(["runs", *words]) == 2
    printed = capsys.readouterr()
    assert re.match(line, printed.err)
    assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_a_folder_without_runs(tmp_path, capsys):
    assert main(["runs", str(tmp_path), "--where", "a.b=1"]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: 0 runs\n"


def test_names_of_others_cannot_control_the_terminal(fake_run, tmp_path, capsys):
    fake_run(tmp_path / "a\x1b[2Jb\n", SCORES, normal='"\\e[31mred\\n"', root="\u202eroot")
    assert main(["runs", str(tmp_path), "--where", "dataset.root=\u202eroot"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    assert "\\x1b[31mred\\n" in printed
    assert len(printed.splitlines()) == 3


def test_on_a_terminal_what_all_runs_share_is_no_column(several, terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["runs", "--where", "status=finished"]) == 0
    lines = terminal.text.splitlines()
    assert "method" not in lines[0]
    assert {"name", "normal", "seed", "auroc"} <= set(lines[0].split())
    text = " ".join(" ".join(lines).split())
    assert "runs: 3 of 5 runs, all with data photos, method contrast, " in text


def test_neither_verb_imports_torch(several):
    code = (
        "import sys\n"
        "from adframe.cli.main import main\n"
        "assert main(['runs', '--sort', 'auroc']) == 0\n"
        "before = 'numpy' in sys.modules or 'rich' in sys.modules\n"
        "assert main(['compare', 'runs/r9', 'runs/x']) == 0\n"
        "names = ('torch', 'pydantic', 'torchvision', 'sklearn')\n"
        "print(before, [name for name in names if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False []", done.stderr


@pytest.fixture
def compared(fake_run, tmp_path, monkeypatch, capsys):
    """``compared(*words)``: what ``adframe compare`` prints of runs a0, a1, b0 and b1."""
    monkeypatch.chdir(tmp_path)
    for name, shift in (("a", 0.5), ("b", 2.0)):
        for seed in (0, 1):
            draw = np.random.default_rng(seed)
            scores = {
                title: draw.normal(shift * (title != "inliers"), size=40).tolist()
                for title in ("inliers", "near", "far")
            }
            fake_run(tmp_path / f"{name}{seed}", scores, seed=seed, lr=shift)

    def compared(*words, status=0):
        assert main(["compare", *words, "--samples", "200"]) == status
        printed = capsys.readouterr()
        return printed.err if status else printed.out

    return compared


def test_the_table_of_a_comparison(compared):
    figures = json.loads(compared("a0", "b0", "--json"))
    lines = compared("a0", "b0").splitlines()
    cells = [re.split("  +", line) for line in lines[:7]]
    assert cells[0] == [
        "outliers", "run", "AUROC", "95 % interval", "difference", "95 % interval", "p"
    ]  # fmt: skip
    assert [row[:2] for row in cells[1:]] == [
        [title, run] for title in ("near", "far", "mean") for run in ("a0", "b0")
    ]
    figure = figures["runs"][1]["mean"]
    low, high = (f"{figure[key]:.4f}" for key in ("low", "high"))
    lower, upper = (f"{figure[f'difference_{key}']:+.4f}" for key in ("low", "high"))
    assert cells[6][2:] == [
        f"{figure['auroc']:.4f}", f"{low} to {high}", f"{figure['difference']:+.4f}",
        f"{lower} to {upper}", f"{figure['p_value']:.4f}",
    ]  # fmt: skip
    assert lines[7] == "40 inliers, 80 outliers, 200 resamples of these"
    assert lines[8] == (
        f"b0 and a0: a difference of {figure['difference']:+.4f} is more than the noise of these "
        f"test images (p = {figure['p_value']:.3f})"
    )
    assert lines[9].startswith("Other seeds may differ by more")


def test_what_is_no_more_than_noise_is_called_so(compared):
    assert "a0 and a0: a difference of +0.0000 is no more than the noise" in compared("a0", "a0")


def test_one_run_has_its_interval_only(compared):
    text = compared("a0")
    assert re.split("  +", text.splitlines()[0])[-1] == "95 % interval"
    assert "difference" not in text


def test_seeds_are_grouped(compared):
    groups = json.loads(compared("a0", "a1", "b0", "b1", "--json"))["groups"]
    text = compared("a0", "a1", "b0", "b1")
    rows = [
        re.split("  +", line) for line in text.splitlines() if re.match("mean +[ab]0 +2 ", line)
    ]
    assert rows == [
        ["mean", name, "2", f"{group['mean']['mean']:.4f}", f"{group['mean']['sd']:.4f}"]
        for name, group in zip(("a0", "b0"), groups, strict=True)
    ]
    p = groups[1]["p_value"]
    word = "more" if p < 0.05 else "no more"
    assert f"is {word} than the noise of seeds (p = {p:.3f})" in text
    assert "Other seeds may" not in text


def test_names_of_sets_cannot_control_the_terminal(fake_run, tmp_path, capsys):
    folder = fake_run(tmp_path / "a", SCORES)
    path = folder / "scores.csv"
    path.write_text(path.read_text().replace(",odd,", ',"o\x1b[2J\nd",'))
    assert main(["compare", str(folder), str(folder), "--samples", "10"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert printed.count("o\\x1b[2J\\nd  ") == 2
    assert len(printed.splitlines()) == 6


def test_a_comparison_that_cannot_be_is_one_line(compared, several):
    line = compared("a0", "runs/r9", status=2)
    assert line == "runs/r9: other test images than a0: 3 of 5 match, and a0 has 120\n"
    assert "half: is no finished run" in compared("a0", "runs/half", status=2)
    assert main(["compare", "a0", "--samples", "1"]) == 2
    assert main(["compare"]) == 2
