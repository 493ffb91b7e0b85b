import pytest
import torch

from adframe.interfaces import RandomKeys
from adframe_augmentations.flip import Flip


def keys(count: int) -> RandomKeys:
    return RandomKeys.from_index(0, torch.arange(count))


def test_half_of_the_images_are_mirrored_at_any_strength() -> None:
    images = torch.rand(400, 3, 4, 4)
    for strength in (0.0, 1.0):
        out = Flip()(images, keys(400), strength)
        mirrored = (out == images.flip(-1)).all((1, 2, 3))
        assert (mirrored ^ (out == images).all((1, 2, 3))).all()
        assert 150 < mirrored.sum() < 250


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_none_or_all_and_bytes_become_floating_point(probability: float) -> None:
    images = torch.randint(0, 256, (5, 3, 4, 4), dtype=torch.uint8)
    expected = (images.flip(-1) if probability else images).float() / 255
    torch.testing.assert_close(Flip(probability)(images, keys(5)), expected)


def test_an_images_result_does_not_depend_on_its_batch() -> None:
    images, together = torch.rand(8, 3, 4, 4), keys(8)
    rows = torch.tensor([3, 3, 0])
    part = Flip()(images[rows], RandomKeys(together.values[rows]))
    assert torch.equal(part, Flip()(images, together)[rows])
