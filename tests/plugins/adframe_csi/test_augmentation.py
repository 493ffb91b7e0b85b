"""CSI's augmentation: which images are changed, and where its crops lie."""

import pytest
import torch
from torch import Tensor

from adframe.interfaces import RandomKeys
from adframe_csi.augmentation import CSIAugmentation, jitter_hsv

WHOLE = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
COUNT = 400


def images(count: int = COUNT, side: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, side, side, generator=generator)


def keys(count: int = COUNT) -> RandomKeys:
    return RandomKeys.from_index(0, torch.arange(count))


def changed(**options: object) -> float:
    x = images()
    out = CSIAugmentation(**WHOLE, **options)(x, keys())
    return float(((out - x).abs().amax((1, 2, 3)) > 1e-4).float().mean())


def test_each_step_has_its_share_of_the_images() -> None:
    assert changed(jitter_probability=0, grayscale_probability=0) == 0
    assert changed(jitter_probability=0.8, grayscale_probability=0) == pytest.approx(0.8, abs=0.06)
    assert changed(jitter_probability=0, grayscale_probability=0.2) == pytest.approx(0.2, abs=0.06)


def test_no_change_of_colour_is_none() -> None:
    x = images(20)
    for first in (True, False):
        same = jitter_hsv(x, torch.zeros(20, 4), torch.full((20,), first))
        # The angle around the grey axis is not quite that of the hexagon: up to 1.2 degrees.
        assert float((same - x).abs().max()) < 0.021
        torch.testing.assert_close(same.amax(1), x.amax(1))


def test_grey_and_black_images_stay_so() -> None:
    x = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 3, 4, 4)
    out = jitter_hsv(x, torch.tensor([[-0.4, 0.1, 0.4, 0.1]] * 3), torch.ones(3, dtype=torch.bool))
    torch.testing.assert_close(out, x * 0.6)


def test_a_crop_starts_at_whole_and_half_pixels_all_over_the_image() -> None:
    side, count = 16, 2000
    place = (torch.arange(side) + 0.5) / side
    x = place.expand(count, 3, side, side)
    plain = {"jitter_probability": 0, "grayscale_probability": 0}
    out = CSIAugmentation(scale=(0.25, 0.25), ratio=(1.0, 1.0), **plain)(x, keys(count))
    middle = (out[:, 0, 0, side // 2 - 1] + out[:, 0, 0, side // 2]) / 2 * side
    starts = middle - side / 4  # of a box of half the side
    values, counts = (2 * starts).round().unique(return_counts=True)
    torch.testing.assert_close((2 * starts).round(), 2 * starts, atol=1e-3, rtol=0)
    assert values.tolist() == list(range(side + 1))
    assert int(counts.min()) > count / (side + 1) / 2


def test_there_is_no_flip() -> None:
    assert not CSIAugmentation().symmetries()
