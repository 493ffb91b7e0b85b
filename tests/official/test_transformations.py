"""GEOM's and GOAD's 72 transformations, against what their public code gave."""

import json
from pathlib import Path

import pytest
import torch

from adframe.config.model import load_config

HERE = Path(__file__).parent


def shift_of(name):
    """The 72 transformations of the bundled config, and what the public code gave."""
    (spec,) = load_config(f"{name}/cifar10").shifts
    return spec.build(), json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["geom", "goad"])
def test_they_are_the_public_codes_to_the_bit(name):
    shift, official = shift_of(name)
    image = torch.arange(64).view(1, 1, 8, 8).expand(1, 3, 8, 8).byte()
    ours = [bytes(shift(image, k)[0, 0].flatten().tolist()).hex() for k in range(72)]
    assert len(set(ours)) == 72
    assert set(ours) == set(official["small"]["hex"])
    assert ours[:4] == official["small"]["hex"][:4]  # the image and its rotations come first


@pytest.mark.parametrize("name", ["geom", "goad"])
def test_at_32_pixels_too(name):
    shift, official = shift_of(name)
    row, column, channel = torch.meshgrid(*map(torch.arange, (32, 32, 3)), indexing="ij")
    pixels = (7 * row + 13 * column + 3 * channel + row * column) % 251
    image = pixels.permute(2, 0, 1)[None].byte()
    weights = 3 * (32 * row + column) + channel + 1
    made = [shift(image, k)[0].permute(1, 2, 0).long() for k in range(72)]
    assert sorted(int((x * weights).sum()) for x in made) == sorted(official["large"]["sums"])
