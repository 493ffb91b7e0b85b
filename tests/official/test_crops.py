"""The boxes of random resized crops, against those that CSI's public code drew."""

import json
from pathlib import Path

import pytest
import torch

from adframe.interfaces import RandomKeys
from adframe_augmentations.simclr import SimCLR

CROPS = json.loads((Path(__file__).parent / "csi_crops.json").read_text(encoding="utf-8"))
COUNT = 20_000


def boxes(scale):
    """Left, width and height of crops, read from the pixels of images that hold their places."""
    place = (torch.arange(32) + 0.5) / 32
    across, down = place.expand(32, 32), place[:, None].expand(32, 32)
    images = torch.stack([across, down, across]).expand(COUNT, -1, -1, -1)
    still = {"jitter_probability": 0, "grayscale_probability": 0, "flip_probability": 0}
    out = SimCLR(scale=scale, **still)(images, RandomKeys.from_index(0, torch.arange(COUNT)))
    x, y = out[:, 0, 0], out[:, 1, :, 0]
    width, height = (line[:, -1] - line[:, 0] + 1 / 32 for line in (x, y))
    return x[:, 0] - 1 / 64, width, height


@pytest.mark.parametrize("crop", CROPS["crops"], ids=lambda crop: str(crop["scale"]))
def test_crops_are_as_large_and_as_long_as_csis(crop):
    left, width, height = boxes(tuple(crop["scale"]))
    shares = torch.tensor(CROPS["quantiles"])
    area, ratio = width * height, (width / height).log()
    assert float(area.mean()) == pytest.approx(crop["mean_area"], abs=0.005)
    assert float(left.mean()) == pytest.approx(crop["mean_left"], abs=0.005)
    for mine, theirs in ((area, crop["area"]), (ratio, crop["log_ratio"])):
        torch.testing.assert_close(mine.quantile(shares), torch.tensor(theirs), atol=0.02, rtol=0)
