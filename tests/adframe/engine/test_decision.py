"""P-values and thresholds from the scores of held-out inliers."""

import csv
import json
import logging
import pickle
import shutil
from math import inf

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import binom, kstest

import adframe
from adframe.cli.main import main
from adframe.engine.decision import held_out, needed, p_values, threshold
from adframe.engine.runner import prepare
from adframe.engine.verify import verify
from adframe.errors import UserError
from adframe.io.tensors import read_tensors, write_tensors

RATE = 0.2


def by_loop(score, calibration):
    return (1 + sum(bool(other >= score) for other in calibration)) / (1 + len(calibration))


@pytest.mark.parametrize("count", [1, 4, 19, 100])
def test_p_values_and_threshold_are_those_of_an_explicit_loop_with_ties(count):
    noise = np.random.default_rng(count)
    calibration = np.sort(noise.integers(0, 12, count).astype(np.float32) / 7)
    scores = np.concatenate([noise.integers(-1, 14, 60).astype(np.float32) / 7, calibration])
    values = p_values(scores, calibration)
    assert values.tolist() == [by_loop(score, calibration) for score in scores]
    for rate in (0.01, 0.05, 0.07, 0.1, 0.2, 0.29, 0.5, 0.99):
        bound = threshold(calibration, rate)
        near = [] if bound == inf else [bound, np.nextafter(np.float32(bound), np.float32(-inf))]
        tried = np.array([*scores, *near], dtype=np.float32)
        expected = [by_loop(score, calibration) <= rate for score in tried]
        assert (tried >= bound).tolist() == expected
        assert (bound == inf) == (count < needed(rate))


def test_the_number_of_images_that_a_rate_needs():
    assert [needed(rate) for rate in (0.01, 0.05, 0.1, 0.5, 0.999)] == [99, 19, 9, 1, 1]
    assert all(needed(1 / (count + 1)) == count for count in range(1, 400))


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
def test_over_many_splits_the_rate_of_false_alarms_is_the_stated_one(rate):
    noise, splits, count = np.random.default_rng(0), 1000, 99
    called = 0
    for _ in range(splits):  # one new image a split: the decisions are independent
        scores = noise.gamma(2.0, size=count + 1).astype(np.float32)
        called += int((p_values(scores[:1], np.sort(scores[1:])) <= rate).sum())
    low, high = binom.interval(0.999, splits, rate)  # (n + 1) * rate is whole, so it is exact
    assert low <= called <= high


def test_p_values_of_new_inliers_are_uniform():
    noise = np.random.default_rng(1)
    calibration = np.sort(noise.normal(size=100_000).astype(np.float32))
    values = p_values(noise.normal(size=2000).astype(np.float32), calibration)
    assert kstest(values, "uniform").pvalue > 0.01
    other = p_values(noise.normal(0.2, size=2000).astype(np.float32), calibration)
    assert kstest(other, "uniform").pvalue < 1e-6


def test_calibration_images_are_chosen_by_seed_and_count():
    kept, held = held_out(50, 0.2, 7)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(50))
    assert len(held) == 10
    assert torch.equal(held, held_out(50, 0.2, 7)[1])
    assert not torch.equal(held, held_out(50, 0.2, 8)[1])
    assert [len(part) for part in held_out(3, 0.01, 0)] == [2, 1]
    assert [len(part) for part in held_out(5, 0.99, 0)] == [2, 3]
    with pytest.raises(UserError, match="2 training images; to hold some out, at least 3"):
        held_out(2, 0.2, 0)


@pytest.fixture(scope="module")
def decided_file(toy_file, tmp_path_factory):
    root = tmp_path_factory.mktemp("decided")
    noise = np.random.default_rng(0)
    for name, count in {"left": 30, "dark": 6}.items():
        (root / "images" / name).mkdir(parents=True)
        for index in range(count):
            pixels = noise.integers(0, 60, (16, 16, 3), dtype=np.uint8)
            pixels[:, :8] += 150 * (name == "left")
            Image.fromarray(pixels).save(root / "images" / name / f"{index:02d}.png")
    file = root / "decided.yaml"
    file.write_text(
        f"extends: {toy_file}\ndataset: {{root: {root / 'images'}}}\n"
        f"scorer: [{{name: knn}}, {{name: mahalanobis}}]\ntrain: {{epochs: 1}}\n"
        f"decision: {{false_alarms: {RATE}, calibration: 0.3}}\n"
    )
    return file


@pytest.fixture(scope="module")
def finished(decided_file, tmp_path_factory):
    torch.set_num_threads(1)  # as the tests: rounding depends on it
    out = tmp_path_factory.mktemp("finished") / "run"
    return out, adframe.run(adframe.load_config(decided_file), out)


def rows_of(folder):
    with (folder / "scores.csv").open() as file:
        return list(csv.DictReader(file))


def test_calibration_images_are_not_trained_on(decided_file):
    config = adframe.load_config(decided_file)
    run = prepare(config, None)
    whole = prepare(adframe.load_config(decided_file, ["decision=null"]), None)
    held, left = set(run.calibration.names), set(run.data.train.names)
    assert held.isdisjoint(left)
    assert held | left == set(whole.data.train.names)
    assert len(held) == round(0.3 * len(whole.data.train))
    assert whole.calibration is None
    assert run.fingerprint["images"] == whole.fingerprint["images"]
    assert run.fingerprint["config"] != whole.fingerprint["config"]


def test_result_scores_score_and_detector_agree(finished, decided_file, tmp_path, capsys):
    folder, report = finished
    rows = rows_of(folder)
    assert list(rows[0])[-2:] == ["p_value", "anomalous"]
    held = prepare(adframe.load_config(decided_file), None).calibration
    detector = adframe.load(folder)
    known = np.sort(detector.score(held.names))
    np.testing.assert_allclose(detector.calibration, known, atol=1e-6)
    for row in rows:
        assert float(row["p_value"]) == by_loop(np.float32(row["score"]), detector.calibration)
        assert row["anomalous"] == str(int(float(row["p_value"]) <= RATE))
    for index, (name, outcome) in enumerate(report.outcomes.items()):
        saved = read_tensors(folder / "model.safetensors")[0][f"calibration/{index}"]
        assert torch.equal(saved, outcome.decision.calibration)
        result = json.loads((folder / "result.json").read_text())["scorers"][name]["decision"]
        bound = inf if result["threshold"] is None else result["threshold"]
        scores = {
            title: (of >= bound).double().mean().item() for title, of in outcome.scores.items()
        }
        assert scores.pop("inliers") == pytest.approx(result["realised_false_alarms"])
        assert scores == pytest.approx(result["found"])
        assert result["calibration_images"] == len(held)
        assert result["false_alarms"] == RATE
    assert "decision" in json.loads((folder / "result.json").read_text())
    paths = [row["path"] for row in rows]
    np.testing.assert_array_equal(detector.p_values(paths), [float(r["p_value"]) for r in rows])
    np.testing.assert_array_equal(detector.decide(paths), [r["anomalous"] == "1" for r in rows])
    assert main(["score", str(folder), *paths, "--out", str(tmp_path / "out.csv")]) == 0
    with (tmp_path / "out.csv").open() as file:
        found = {row["path"]: row for row in csv.DictReader(file)}
    for row in rows:
        assert found[row["path"]] == {key: row[key] for key in ("path", "score", *list(row)[-2:])}


def test_evaluate_and_a_resumed_run_give_the_same_bytes(decided_file, tmp_path):
    folder = tmp_path / "run"
    adframe.run(adframe.load_config(decided_file), folder)
    names = ("model.safetensors", "scores.csv")
    before = [(folder / name).read_bytes() for name in names]
    assert verify(folder) is None
    assert main(["evaluate", str(folder)]) == 0
    assert [(folder / name).read_bytes() for name in names] == before
    for name in (*names, "result.json"):
        (folder / name).unlink()
    adframe.run(adframe.load_config(decided_file), folder, resume=True)
    assert [(folder / name).read_bytes() for name in names] == before
    config = adframe.load_config(decided_file, ["decision.calibration=0.4"])
    with pytest.raises(UserError, match=r"decision.calibration: 0.3 -> 0.4"):
        adframe.run(config, folder, resume=True)


def test_a_changed_decision_is_found(finished, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    head, first, *rest = (folder / "scores.csv").read_text().splitlines()
    first = f"{first[:-1]}{1 - int(first[-1])}"
    (folder / "scores.csv").write_text("\n".join([head, first, *rest]) + "\n")
    assert "1 of 15 images have a different p-value or decision, such as" in str(verify(folder))


def test_a_detector_keeps_its_calibration_until_it_is_fitted_again(finished, decided_file):
    detector = adframe.load(finished[0])
    paths = [row["path"] for row in rows_of(finished[0])]
    copied = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(copied.p_values(paths), detector.p_values(paths))
    copied.fit(paths)
    for one in (copied, pickle.loads(pickle.dumps(copied))):
        with pytest.raises(UserError, match=r"knn has no calibration: it was fitted again"):
            one.p_values(paths)
        assert len(one.score(paths)) == len(paths)


FORGERIES = {
    "not sorted": torch.tensor([2.0, 1.0]),
    "not finite": torch.tensor([1.0, float("nan")]),
    "not a list of float32": torch.tensor([[1.0]]),
    "a list of float64 is not a list of float32": torch.tensor([1.0], dtype=torch.float64),
    "empty is not a list of float32": torch.empty(0),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_calibration_is_one_line_and_status_2(finished, tmp_path, capsys, name):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    tensors, facts = read_tensors(folder / "model.safetensors")
    tensors["calibration/1"] = FORGERIES[name]
    write_tensors(folder / "model.safetensors", tensors, facts)
    for words in (["evaluate", str(folder)], ["score", str(folder), rows_of(folder)[0]["path"]]):
        assert main(words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"damaged: calibration/1 is {name[name.find('not') :]}" in line


def test_without_calibration_no_p_value(finished, toy, tmp_path, capsys):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    tensors, facts = read_tensors(folder / "model.safetensors")
    del tensors["calibration/0"]
    write_tensors(folder / "model.safetensors", tensors, facts)
    assert main(["score", str(folder), rows_of(folder)[0]["path"]]) == 2
    assert "knn has no calibration" in capsys.readouterr().err
    adframe.run(toy("train.epochs=1"), tmp_path / "plain")
    with pytest.raises(UserError, match=r"the run has no decision; train with decision: \{false"):
        adframe.load(tmp_path / "plain").decide([])
    assert "p_value" not in (tmp_path / "plain/scores.csv").read_text()
    assert "decision" not in json.loads((tmp_path / "plain/result.json").read_text())
    assert "decision" not in read_tensors(tmp_path / "plain/model.safetensors")[1]["config"]


def test_too_few_calibration_images_are_a_warning(decided_file, caplog):
    caplog.set_level(logging.WARNING, "adframe")
    report = adframe.run(adframe.load_config(decided_file, ["decision.false_alarms=0.01"]))
    (line,) = [record.getMessage() for record in caplog.records if "calibration" in record.message]
    assert "as small as 0.01" in line
    assert "at least 99 are needed" in line
    decision = report.outcomes["knn"].decision
    assert decision.threshold == inf
    assert set(decision.called.values()) == {0.0}


@pytest.mark.parametrize("value", ["0", "1", "-0.1", "1.5"])
def test_shares_are_between_0_and_1(decided_file, value):
    for key in ("false_alarms", "calibration"):
        with pytest.raises(UserError, match=f"decision.{key}"):
            adframe.load_config(decided_file, [f"decision.{key}={value}"])
