"""A detector for single images, and the training images nearest to one."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

import adframe
from adframe.config.model import load_config
from adframe.engine.fold import folded
from adframe.errors import UserError
from adframe.interfaces import Method


@pytest.fixture(scope="module")
def detector(toy_file, tmp_path_factory):
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("quick") / "run"
    adframe.run(load_config(toy_file, ["scorer=[knn, kde, raw_pixels]"]), path)
    return adframe.load(path)


@pytest.fixture(scope="module")
def images(shapes):
    return sorted(shapes.glob("*/*.png"))


def test_quick_scores_are_equal_up_to_rounding(detector, images):
    quick = detector.quick()
    expected = detector.score(images)
    alone = np.concatenate([quick.score(image) for image in images])
    np.testing.assert_allclose(alone, expected, atol=1e-5)
    whole = pickle.loads(pickle.dumps(quick))  # what is saved is the network as it was
    np.testing.assert_array_equal(whole.score(images), expected)
    assert not any(module.training for module in quick._form.modules())
    left = [m for m in quick._form.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not left, "a batch normalisation is not folded"
    assert detector._form is quick._form
    assert [m for m in detector.method.backbone.modules() if isinstance(m, nn.BatchNorm2d)]


class Twice(Method):
    """A convolution whose output is used before and after the norm."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.norm.running_mean += 1

    def setup(self, parts):
        pass

    def step(self, batch, progress):
        yield from ()

    def embed(self, images):
        maps = self.conv(images)
        return {"features": (maps + self.norm(maps)).mean((2, 3))}


class Once(Twice):
    """The same without the use before it."""

    def embed(self, images):
        return {"features": self.norm(self.conv(images)).mean((2, 3))}


class Maps(Once):
    """A stage that ends before the norm."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.widths = [4]

    def feature_maps(self, images, depth):
        return [self.conv(images)]


def test_what_cannot_be_folded_stays_as_it_was():
    assert isinstance(folded(Once(), (3, 8, 8)).norm, nn.Identity)
    for kind in (Twice, Maps):
        method = kind()
        assert folded(method, (3, 8, 8)) is method


def test_the_nearest_training_images_have_their_names(detector, images):
    inliers = [image for image in images if image.parent.name == "left"]
    assert set(detector.names) <= set(map(str, inliers))
    for number in (0, 2):  # the scorers that compare with images
        other = pickle.loads(pickle.dumps(detector))
        other.scorers = [other.scorers[number]]
        (first, away), (_, further), *_ = other.nearest(detector.names[3], k=9)
        assert first == detector.names[3]
        assert abs(away) < 1e-5 < further
        assert len(other.nearest(detector.names[3], k=10**6)) == len(detector.names)


def test_refitting_names_the_new_images(detector, shapes):
    other = pickle.loads(pickle.dumps(detector))
    dark = sorted((shapes / "dark").iterdir())
    assert other.fit(dark).nearest(dark[2], 1)[0][0] == str(dark[2])
    pixels = np.zeros((2, 16, 16, 3), np.uint8)
    assert other.fit(pixels).names == ["0", "1"]


def test_no_nearest_image_is_refused_in_one_line(detector, images):
    with pytest.raises(UserError, match="^expected one image, not 2$"):
        detector.nearest(images[:2])
    other = pickle.loads(pickle.dumps(detector))
    other.scorers = other.scorers[1:]
    with pytest.raises(UserError, match="kde.*compares with no training images"):
        other.nearest(images[0])
