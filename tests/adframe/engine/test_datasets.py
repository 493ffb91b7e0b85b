"""Reading the data sets of a run: warnings."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

import adframe
from adframe.engine.verify import verify


@pytest.fixture
def written(tmp_path):
    """``written(make)``: class folders good and bad of four images, ``make(class, index)``."""

    def write(make):
        for name in ("good", "bad"):
            (tmp_path / "data" / name).mkdir(parents=True)
            for index in range(4):
                Image.fromarray(make(name, index)).save(tmp_path / "data" / name / f"{index}.png")
        return f"dataset={{name: image_folder, root: {tmp_path / 'data'}, normal: good}}"

    return write


def test_only_normal_images_are_trained_on_and_scored_without_auroc(written, toy, tmp_path, caplog):
    rng = np.random.default_rng(0)
    table = written(lambda name, index: rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    table = table.replace("normal: good", "normal: good, without: bad")
    report = adframe.run(toy(table, "train.epochs=1"), tmp_path / "run")
    told = "no outliers to test with, so there is no AUROC; name some under 'outliers'"
    assert caplog.messages.count(told) == 1
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["auroc"] == {}
    assert result["mean_auroc"] is None
    assert [of["auroc"] for of in result["scorers"].values()] == [{}] * len(result["scorers"])
    assert repr(report)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "run" / "scores.csv").read_text())))
    assert {(row["set"], row["label"]) for row in rows} == {("inliers", "0")}
    files = sorted((tmp_path / "data" / "bad").iterdir())
    assert np.isfinite(adframe.load(tmp_path / "run").score(files)).all()
    assert verify(tmp_path / "run") is None


def test_images_of_few_levels_are_told(written, toy, caplog):
    rng = np.random.default_rng(0)
    table = written(lambda name, index: rng.integers(0, 4096, (16, 16), dtype=np.uint16))
    adframe.run(toy(table, "train.epochs=1"))
    told = "the training images use levels 0 to 16 of 0 to 255; is their bit depth right?"
    assert told in caplog.messages or told.replace("16 of", "15 of") in caplog.messages
    caplog.clear()
    adframe.run(toy(table.replace("}", ", depth: 12}"), "train.epochs=1"))
    assert not [message for message in caplog.messages if "bit depth" in message]
