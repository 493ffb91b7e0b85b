"""Reading the data sets of a run: warnings."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import adframe
from adframe.engine.crop import warn_of_crop
from adframe.engine.datasets import make_test_sets
from adframe.engine.verify import verify
from adframe.interfaces import Images, Splits


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


# --- a set of outliers for each class ------------------------------------------------------------


@pytest.fixture
def several():
    """Two inliers, and outliers of three kinds."""
    of = ["good", "hole", "scratch", "inliers", "hole", "good"]
    pixels = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 3, 2, 2)
    outlier = torch.tensor([name != "good" for name in of])
    masks = [torch.full((2, 2), bool(row)) for row in range(6)]
    return Images(pixels, torch.full((6,), -1), outlier, [str(i) for i in range(6)], of, masks)


def _rows(sets):
    return {name: images.pixels[:][:, 0, 0, 0].tolist() for name, images in sets.items()}


def test_anomalies_are_one_set_or_one_for_each_class(several):
    assert _rows(make_test_sets("parts", several, {})) == {"inliers": [0, 5], "parts": [1, 2, 3, 4]}
    sets = make_test_sets("parts", several, {}, per_class=True)
    expected = {"inliers": [0, 5], "hole": [1, 4], "parts_inliers": [3], "scratch": [2]}
    assert _rows(sets) == expected
    assert [mask.all().item() for mask in sets["hole"].masks] == [True, True]
    assert [mask.any().item() for mask in sets["inliers"].masks] == [False, True]
    sets = make_test_sets("parts", several, {"hole": several}, per_class=True)
    assert set(sets) == {"inliers", "parts_hole", "parts_inliers", "scratch", "hole"}
    several.of = ()
    assert set(make_test_sets("parts", several, {}, per_class=True)) == {"inliers", "parts"}


# --- what a crop discards ------------------------------------------------------------------------


@pytest.fixture
def photographs(tmp_path):
    """``photographs(sizes, ...)``: splits of files of these sizes, read by a crop to 8 pixels."""

    def write(train, test, masks=()):
        made = []
        for split, sizes in (("train", train), ("test", test)):
            names = [str(tmp_path / f"{split}{index}.png") for index in range(len(sizes))]
            for name, size in zip(names, sizes, strict=True):
                Image.new("RGB", size).save(name)
            nothing = torch.full((len(sizes),), -1)
            pixels = torch.zeros(len(sizes), 3, 8, 8, dtype=torch.uint8)
            made.append(Images(pixels, nothing, nothing > 0, names))
        made[1].masks = masks
        return Splits(*made)

    return write


def test_a_crop_that_discards_much_is_told_in_one_line(photographs, logged):
    splits = photographs([(20, 20), (20, 40)], [(100, 20), (21, 20)])
    told = "the crop discards more than a tenth of 2 of 4 images, 65 % of their pixels; fit: squash"
    warn_of_crop(splits, "crop")
    logged(f"^{told} or fit: pad shows all$")


def test_defects_outside_of_the_crop_are_told_with_it(photographs, tmp_path, logged):
    splits = photographs([(20, 20)], [(60, 20), (60, 20)])
    for index, left in enumerate((0, 30)):
        mask = np.zeros((20, 60), np.uint8)
        mask[5, left : left + 9] = 1
        Image.fromarray(mask).save(tmp_path / f"mask{index}.png")
    files = [tmp_path / f"mask{index}.png" for index in range(2)]
    splits.test.masks = adframe.open_masks(files, splits.test.names, 8)
    warn_of_crop(splits, "crop")
    logged(
        "of 2 of 3 images, 67 % of their pixels; 1 of 2 defects lie wholly outside by their masks;"
    )


def test_nothing_is_told_where_all_is_seen_or_nothing_is_a_file(photographs, caplog):
    warn_of_crop(photographs([(20, 20)], [(22, 20), (8, 8)]), "crop")
    wide = photographs([(20, 40)], [(20, 40)])
    for fit in ("squash", "pad"):
        warn_of_crop(wide, fit)
    wide.train.names, wide.test.names = ["train/0"], ["test/0"]
    warn_of_crop(wide, "crop")
    assert not caplog.messages


def test_a_run_tells_what_its_crop_discards(written, toy, caplog):
    rng = np.random.default_rng(0)
    table = written(lambda name, index: rng.integers(0, 256, (16, 32, 3), dtype=np.uint8))
    for fit, count in (("crop", 1), ("pad", 0)):
        caplog.clear()
        adframe.run(toy(table.replace("}", f", size: 16, fit: {fit}}}"), "train.epochs=1"))
        assert sum("the crop discards" in message for message in caplog.messages) == count
