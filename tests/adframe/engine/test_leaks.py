"""Test images that a run has trained on give a warning with their number."""

import hashlib

import pytest
import torch
from PIL import Image

from adframe.data import ahead, lazy
from adframe.data.lazy import LazyImages, image_digests, subset
from adframe.data.load import open_images
from adframe.engine.leaks import warn_of_leaks
from adframe.interfaces import Images


def of(*values):
    pixels = torch.stack([torch.full((3, 2, 2), value, dtype=torch.uint8) for value in values])
    return _images(pixels, [f"{value}.png" for value in values])


def _images(pixels, names):
    nothing = torch.full((len(names),), -1)
    return Images(pixels, nothing, nothing > 0, names)


def _trained(**sets):
    return {name: image_digests(images.pixels) for name, images in sets.items()}


def test_each_test_set_is_compared_with_all_that_is_trained_on(caplog):
    trained = _trained(images=of(1, 2, 3), exposed=of(7))
    warn_of_leaks(trained, {"inliers": of(2, 4, 3, 3), "odd": of(7), "new": of(9)})
    assert [record.getMessage() for record in caplog.records] == [
        "3 of 4 test images of inliers are also images, such as 2.png",
        "1 of 1 test images of odd are also exposed, such as 7.png",
    ]


def test_the_same_image_twice_in_training_is_no_leak(caplog):
    warn_of_leaks(_trained(images=of(1, 1)), {"inliers": of(2, 2), "odd": of(3)})
    assert not caplog.records


@pytest.mark.parametrize("how", [{}, {"cache": "cache"}, {"workers": 0}])
def test_files_are_compared_however_they_are_read(tmp_path, monkeypatch, caplog, how):
    """Files on demand are decoded once, when they are opened."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lazy, "BLOCK", 100)  # bytes: one image in a chunk
    paths = [tmp_path / f"{value}.png" for value in range(6)]
    for value, path in enumerate(paths):
        Image.new("RGB", (5, 5), (value, 0, 9)).save(path)
    pixels, _ = open_images(paths, 5, **how)
    names = [path.name for path in paths]
    train = _images(subset(pixels, torch.tensor([0, 1, 4])), ["0", "1", "4"])
    test = _images(subset(pixels, torch.tensor([5, 4, 3, 1])), ["5", "4", "3", "1"])
    monkeypatch.setattr(ahead, "read_image", lambda *_: pytest.fail("it was decoded again"))
    warn_of_leaks(_trained(images=train), {"inliers": test, "all": _images(pixels, names)})
    assert [record.getMessage() for record in caplog.records] == [
        "2 of 4 test images of inliers are also images, such as 4",
        "3 of 6 test images of all are also images, such as 0.png",
    ]


class Elsewhere(LazyImages):
    """Images that a plugin reads; counts how often."""

    def __init__(self, pixels):
        self.pixels, self.shape, self.read = pixels, pixels.shape, 0

    def index_select(self, dim, rows):
        self.read += len(rows)
        return self.pixels[rows]

    def subset(self, rows):
        return Elsewhere(self.pixels[rows])


def test_a_plugins_own_images_are_not_read_again_to_compare_them(caplog):
    images = of(1, 2)
    theirs = Elsewhere(images.pixels)
    warn_of_leaks(_trained(images=images), {"inliers": _images(theirs, ["a", "b"])})
    assert (theirs.read, caplog.records) == (0, [])
    warn_of_leaks(_trained(images=_images(theirs, "ab")), {"inliers": images})
    assert theirs.read == 2
    assert caplog.records[0].getMessage().startswith("2 of 2 test images of inliers")


def test_digests_that_end_in_zero_bytes_are_not_confused():
    ends = [lazy.as_digests(b"x" * 15 + end)[0] for end in (b"\0", b"\1")]
    assert ends[0] != ends[1]
    assert lazy.as_digests(b"x" * 14 + b"\0\0")[0] != ends[0]


def test_a_digest_is_that_of_the_pixels_of_one_image():
    (found,) = image_digests(of(3).pixels)
    assert bytes(found).ljust(16, b"\0") == hashlib.blake2b(b"\3" * 12, digest_size=16).digest()
