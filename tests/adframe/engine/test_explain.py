"""A score is explained by its p-value and the nearest training images; banks grow."""

import csv
import io
import shutil

import numpy as np
import pytest
import torch

import adframe
from adframe.cli.main import main
from adframe.data.map_files import Neighbour
from adframe.errors import UserError
from adframe.reports.gather import gather


@pytest.fixture(scope="module")
def folder(toy_file, tmp_path_factory):
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("explain") / "run"
    settings = ["train.epochs=1", "scorer.augmentation=null", "decision.false_alarms=0.2"]
    adframe.run(adframe.load_config(toy_file, settings), out)
    return out


@pytest.fixture(scope="module")
def rows(folder):
    return list(csv.DictReader(io.StringIO((folder / "training.csv").read_text())))


def test_the_folder_lists_what_was_learned_from(folder, rows, shapes):
    uses = [row["use"] for row in rows]
    assert uses == ["train"] * 6 + ["calibration"] * 2
    tested = [
        row["path"] for row in csv.DictReader(io.StringIO((folder / "scores.csv").read_text()))
    ]
    left = {str(path) for path in (shapes / "left").iterdir()}
    assert {row["path"] for row in rows} == left - set(tested)


def test_a_training_image_is_nearest_to_itself(folder, rows):
    detector = adframe.load(folder)
    paths = [row["path"] for row in rows if row["use"] == "train"]
    for path, found in detector.explain_files(paths, neighbours=2):
        first, second = found.nearest
        assert first.path == path
        assert first.distance == pytest.approx(found.score, abs=1e-5)
        assert second.distance >= first.distance
        assert found.p_value == detector.p_values(path)
        assert found.map is None


def test_score_explains_each_image(folder, rows, shapes, capsys):
    assert main(["score", str(folder), str(shapes / "dark"), "--explain"]) == 0
    (first, *_) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert {first[f"nearest_{place}"] for place in (1, 2, 3)} <= {row["path"] for row in rows}
    assert float(first["distance_1"]) == pytest.approx(float(first["score"]), abs=1e-5)
    assert float(first["distance_1"]) <= float(first["distance_3"])
    assert list(first)[:4] == ["path", "score", "p_value", "anomalous"]


def test_an_update_adds_inliers_and_ends_the_calibration(folder, shapes, caplog):
    detector, other = adframe.load(folder), str(shapes / "dark" / "00.png")
    before = detector.score(other)
    assert before > 1e-3
    detector.update([other])
    assert "calibrate for p-values" in caplog.text
    assert detector.score(other) == pytest.approx(0, abs=1e-5)
    ((_, found),) = detector.explain_files(other, neighbours=1)
    assert found.nearest == (Neighbour(other, pytest.approx(0, abs=1e-5)),)
    assert found.p_value is None
    with pytest.raises(UserError, match="no calibration"):
        detector.p_values(other)


def test_other_images_calibrate(folder, shapes):
    detector = adframe.load(folder).update(str(shapes / "right" / "00.png"), limit=4)
    assert len(detector.scorers[0].bank[0]) == 4
    held = sorted((shapes / "right").iterdir())[1:]
    detector.calibrate(held)
    assert detector.calibration.tolist() == np.sort(detector.score(held)).tolist()
    assert detector.p_values(held).min() == pytest.approx(2 / 8)


def test_what_an_update_cannot_do_is_one_line(folder, toy_file, shapes, tmp_path):
    detector = adframe.load(folder)
    with pytest.raises(UserError, match="limit: must be at least 1, not 0"):
        detector.update(shapes / "dark/00.png", limit=0)
    with pytest.raises(UserError, match="no images"):
        detector.calibrate([])
    detector.scorers[0] = adframe.build("scorer", "gaussian_density")
    with pytest.raises(UserError, match="cannot take more inliers; fit it again"):
        detector.update(shapes / "dark/00.png")


def test_the_nearest_images_are_known_without_the_list_of_training_images(folder, shapes, tmp_path):
    copy, image = tmp_path / "copy", shapes / "dark/00.png"
    shutil.copytree(folder, copy)
    ((_, before),) = adframe.load(copy).explain_files(image)
    (copy / "training.csv").unlink()
    ((_, after),) = adframe.load(copy).explain_files(image)
    assert before.nearest
    assert after.nearest == before.nearest


def test_a_damaged_list_of_training_images_is_a_line_of_the_report(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "training.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"training.csv: damaged"):
        gather(copy)
