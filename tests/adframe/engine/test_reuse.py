"""Other scorers on a trained network give the scores of a run that had both."""

import json

import pytest
import torch

import adframe
from adframe.cli.main import main

BOTH = "scorer=[{name: nearest_cosine, views: 2}, knn]"


@pytest.fixture(scope="module")
def trained(toy_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "one"
    torch.set_num_threads(1)  # as in all tests; another number rounds in another way
    adframe.run(adframe.load_config(toy_file, ["train.epochs=1"]), folder)
    return folder


def test_other_scorers_give_the_bytes_of_a_run_that_had_them(trained, toy, shapes, tmp_path):
    adframe.run(toy("train.epochs=1", BOTH), tmp_path / "both")
    again = str(tmp_path / "again")
    assert main(["evaluate", str(trained), "--set", BOTH, "--out", again]) == 0
    for name in ("scores.csv", "config.yaml"):
        ours, theirs = ((tmp_path / run / name).read_bytes() for run in ("again", "both"))
        assert ours == theirs
    files = adframe.find_images(shapes / "dark")
    ours, theirs = (adframe.load(tmp_path / run).score(files) for run in ("again", "both"))
    assert (ours == theirs).all()


def test_it_is_a_whole_run_folder(trained, tmp_path, capsys):
    out = tmp_path / "again"
    main(["evaluate", str(trained), "--set", "scorer=knn", "--out", str(out)])
    assert json.loads((out / "environment.json").read_text())["weights_of"] == str(trained)
    assert main(["evaluate", str(out), "--verify"]) == 0
    capsys.readouterr()
    main(["evaluate", str(trained), "--verify"])
    assert "every score is the stored one" in capsys.readouterr().out  # it stays as it was


def test_metrics_and_outliers_can_be_added(trained, shapes, tmp_path):
    out = tmp_path / "again"
    more = f"outliers=[{{name: image_folder, root: {shapes}, set_name: more}}]"
    words = ["evaluate", str(trained), "--out", str(out)]
    words += ["--set", more, "--set", "metrics=[average_precision]"]
    assert main(words) == 0
    result = json.loads((out / "result.json").read_text())
    assert set(result["auroc"]) >= {"more"}
    assert set(result["metrics"]["average_precision"]) == set(result["auroc"])


@pytest.mark.parametrize(
    ("setting", "named"),
    [("seed=3", "seed"), ("train.epochs=9", "train"), ("backbone.width=0.125", "backbone")],
)
def test_what_decided_the_training_is_refused(trained, tmp_path, capsys, setting, named):
    out = tmp_path / "again"
    assert main(["evaluate", str(trained), "--set", setting, "--out", str(out)]) == 2
    assert f"{named}: decided how" in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_that_holds_a_run_is_refused(trained, capsys):
    words = ["evaluate", str(trained), "--set", "scorer=knn", "--out", str(trained)]
    assert main(words) == 2
    assert "holds a run already" in capsys.readouterr().err


def test_verify_writes_nothing(trained, tmp_path, capsys):
    assert main(["evaluate", str(trained), "--verify", "--out", str(tmp_path / "x")]) == 2
    assert "remove --out" in capsys.readouterr().err
