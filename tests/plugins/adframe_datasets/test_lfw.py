"""The embedded data set."""

import numpy as np
import pytest

from adframe_datasets.lfw import LFWFaces

lfw_subset = pytest.importorskip("skimage.data", reason="needs adframe[demo]").lfw_subset


def test_70_faces_train_30_faces_and_100_others_test():
    splits = LFWFaces().load(seed=0)
    assert splits.train.pixels.shape == (70, 3, 25, 25)
    assert splits.test.pixels.shape == (130, 3, 25, 25)
    assert not splits.train.outlier.any()
    assert int(splits.test.outlier.sum()) == 100
    assert splits.test.outlier[30:].all()


def test_every_image_is_used_once_and_is_the_one_its_name_says():
    splits = LFWFaces().load(seed=3)
    names = [*splits.train.names, *splits.test.names]
    assert sorted(names) == [f"lfw/{row:03d}" for row in range(200)]
    source = np.rint(lfw_subset() * 255)
    for images in (splits.train, splits.test):
        for pixels, name in zip(images.pixels, images.names, strict=True):
            for channel in pixels:
                np.testing.assert_array_equal(channel, source[int(name[4:])])


def test_the_split_is_the_seeds():
    names = [LFWFaces().load(seed).train.names for seed in (0, 0, 1)]
    assert names[0] == names[1]
    assert names[0] != names[2]
