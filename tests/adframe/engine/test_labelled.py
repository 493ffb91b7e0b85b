"""Thresholds from labelled anomalies come from validation images, never from test images."""

import csv
import io
import json

import numpy as np
import pytest
import torch

import adframe
from adframe.cli.main import main
from adframe.config.sections import Decision
from adframe.engine.decision import learned_threshold
from adframe.engine.labelled import with_labelled
from adframe.engine.runner import prepare
from adframe.errors import UserError
from adframe.interfaces import Images, Splits


def f1(scores, odd, bound):
    called = scores >= bound
    true = int((called & odd).sum())
    return 2 * true / (int(called.sum()) + int(odd.sum()))


@pytest.mark.parametrize("seed", range(4))
def test_a_threshold_is_the_best_of_all_scores_with_ties(seed):
    noise = np.random.default_rng(seed)
    odd = np.arange(40) < 15
    scores = (noise.integers(0, 12, 40) + 3 * odd).astype(np.float32) / 7
    best = learned_threshold(scores, odd, Decision(best_f1=True))
    values = {float(bound): f1(scores, odd, bound) for bound in scores}
    assert best == max(bound for bound, value in values.items() if value == max(values.values()))
    for recall in (0.05, 0.5, 0.8, 0.95, 1.0):
        bound = learned_threshold(scores, odd, Decision(recall=recall))
        reached = [one for one in values if (scores[odd] >= one).mean() >= recall]
        assert bound == max(reached)


def images(classes):
    count = len(classes)
    odd = torch.tensor([name != "ok" for name in classes])
    pixels = torch.zeros(count, 3, 8, 8, dtype=torch.uint8)
    return Images(pixels, torch.full((count,), -1), odd, list(map(str, range(count))), classes)


def test_a_share_of_each_class_is_held_out_by_seed():
    splits = Splits(images(["ok"] * 4), images(["ok"] * 10 + ["cut"] * 5 + ["dent"]))
    left, held = with_labelled(splits, 0.3, seed=1)
    assert sorted(held.of) == ["cut"] * 2 + ["ok"] * 3
    assert sorted([*left.test.names, *held.names], key=int) == splits.test.names
    assert with_labelled(splits, 0.3, seed=1)[1].names == held.names
    assert with_labelled(splits, 0.3, seed=2)[1].names != held.names


def test_the_validation_split_of_the_data_comes_first():
    splits = Splits(images(["ok"]), images(["ok", "cut"]), validation=images(["ok", "cut"]))
    left, held = with_labelled(splits, 0.5, seed=0)
    assert held is splits.validation
    assert left is splits


@pytest.mark.parametrize(("classes", "lack"), [(["ok"] * 4, "anomalies"), (["cut"] * 4, "normal")])
def test_without_labelled_anomalies_there_is_no_threshold(classes, lack):
    with pytest.raises(UserError, match=f"no {lack}.* to choose a threshold on"):
        with_labelled(Splits(images(["ok"]), images(classes)), 0.5, seed=0)


@pytest.fixture(scope="module")
def run(toy_file, tmp_path_factory):
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("validation") / "run"
    settings = ["train.epochs=1", "scorer.views=1", "scorer.augmentation=null",
                "decision.recall=0.8", "decision.validation=0.5"]  # fmt: skip
    config = adframe.load_config(toy_file, settings)
    return out, adframe.run(config, out), prepare(config, None).labelled


def rows_of(folder):
    return list(csv.DictReader(io.StringIO((folder / "scores.csv").read_text())))


def decision_of(folder):
    return json.loads((folder / "result.json").read_text())["decision"]


def test_a_run_takes_its_threshold_from_images_it_does_not_test(run):
    folder, _, held = run
    rows = rows_of(folder)
    assert {row["path"] for row in rows}.isdisjoint(held.names)
    found, detector = decision_of(folder), adframe.load(folder)
    assert (found["rule"], found["validation_images"]) == ("recall", len(held))
    assert "false_alarms" not in found
    odd = held.outlier.numpy()
    scores = detector.score(held.names)
    assert detector.threshold == found["threshold"]
    place = int(np.ceil(0.8 * odd.sum())) - 1
    assert found["threshold"] == pytest.approx(np.sort(scores[odd])[::-1][place])
    called = [row["anomalous"] == "1" for row in rows]
    assert called == [float(row["score"]) >= found["threshold"] for row in rows]
    assert detector.decide([row["path"] for row in rows]).tolist() == called
    with pytest.raises(UserError, match="no threshold for these inliers|no calibration"):
        detector.update(rows[0]["path"]).decide(rows[0]["path"])


def test_evaluate_changes_the_rule_without_training(run, tmp_path, capsys):
    import shutil

    folder = shutil.copytree(run[0], tmp_path / "run")
    scores = [row["score"] for row in rows_of(folder)]
    assert main(["evaluate", str(folder), "--set", "decision.recall=1.0"]) == 0
    assert decision_of(folder)["threshold"] <= decision_of(run[0])["threshold"]
    assert [row["score"] for row in rows_of(folder)] == scores
    settings = ["--set", "decision.recall=null", "--set", "decision.false_alarms=0.5"]
    assert main(["evaluate", str(folder), *settings]) == 0
    found = decision_of(folder)
    assert (found["rule"], found["false_alarms"]) == ("false_alarms", 0.5)
    assert adframe.load(folder).threshold == found["threshold"]
    assert len(rows_of(folder)) > len(scores)  # the validation images are test images again
    assert main(["evaluate", str(folder), "--verify"]) == 0
    assert main(["evaluate", str(folder), "--set", "decision.calibration=0.5"]) == 2
    assert "decision.calibration" in capsys.readouterr().err


def test_two_rules_are_refused(toy):
    with pytest.raises(UserError, match="decision: set recall or best_f1, not both"):
        adframe.run(toy("decision.recall=0.5", "decision.best_f1=true"))
