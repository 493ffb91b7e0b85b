"""Test images that a run has trained on give a warning with their number."""

import torch

from adframe.engine.leaks import warn_of_leaks
from adframe.interfaces import Images


def of(*values):
    pixels = torch.stack([torch.full((3, 2, 2), value, dtype=torch.uint8) for value in values])
    nothing = torch.full((len(values),), -1)
    return Images(pixels, nothing, nothing > 0, [f"{value}.png" for value in values])


def test_each_test_set_is_compared_with_all_that_is_trained_on(caplog):
    warn_of_leaks(of(1, 2, 3), of(7), {"inliers": of(2, 4, 3, 3), "odd": of(7), "new": of(9)})
    assert [record.getMessage() for record in caplog.records] == [
        "3 of 4 test images of inliers are also training images, such as 2.png",
        "1 of 1 test images of odd are also known outliers of exposure, such as 7.png",
    ]


def test_the_same_image_twice_in_training_is_no_leak(caplog):
    warn_of_leaks(of(1, 1), None, {"inliers": of(2, 2), "odd": of(3)})
    assert not caplog.records
