"""Mixtures of the images of another data set."""

import numpy as np
import pytest
from PIL import Image

from adframe_datasets.folder import ImageFolder
from adframe_datasets.interpolated import Interpolated


def _pixels(images):
    pairs = zip(images.names, images.pixels, strict=True)
    return {name: image.numpy().astype(float) for name, image in pairs}


def _check(mixed, plain):
    """Every mixture is the mean of two different images, and every image is in two mixtures."""
    source, uses = _pixels(plain), []
    for name, pixels in _pixels(mixed).items():
        pair = name.split(" + ")
        assert len(set(pair)) == 2
        uses += pair
        expected = np.floor((source[pair[0]] + source[pair[1]]) / 2 + 0.5)
        np.testing.assert_array_equal(pixels, expected)
    assert len(mixed) == len(plain)
    assert sorted(uses) == sorted([*source, *source])
    assert mixed.outlier.all()
    assert (mixed.label == -1).all()


def test_as_an_outlier_set_all_test_images_are_mixed(shapes):
    of = ImageFolder(shapes, shapes, normal="left", labelled=True)
    _check(Interpolated(of).outliers(seed=0), of.outliers(seed=0))


def test_the_mixtures_are_the_same_for_every_seed(shapes):
    data = Interpolated(ImageFolder(shapes, shapes))
    assert data.outliers(seed=0).names == data.outliers(seed=7).names


def test_as_the_data_set_inliers_are_mixed_and_kept_apart(shapes):
    of = ImageFolder(shapes, normal=["left", "right"], labelled=True).load(seed=0)
    splits = Interpolated(ImageFolder(shapes, normal=["left", "right"], labelled=True)).load(seed=0)
    assert splits.train.names == of.train.names
    assert list(splits.classes) == ["left", "right"]
    inliers = int((~of.test.outlier).sum())
    assert 0 < inliers < len(of.test)
    assert splits.test.outlier.tolist() == [False] * inliers + [True] * inliers
    assert splits.test.label[:inliers].tolist() == of.test.label[~of.test.outlier].tolist()
    used = {part for name in splits.test.names[inliers:] for part in name.split(" + ")}
    assert used == set(splits.test.names[:inliers])


def test_one_image_cannot_be_mixed(tmp_path):
    (tmp_path / "one").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "one/0.png")
    with pytest.raises(ValueError, match="2 are needed"):
        Interpolated(ImageFolder(tmp_path, tmp_path)).outliers(seed=0)
