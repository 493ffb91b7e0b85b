import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as T
from torch import Tensor

from adframe_shifts.geometric import Rotation


def noise(size: int = 6) -> Tensor:
    return torch.randint(256, (3, 3, size, size), generator=torch.Generator().manual_seed(0)).byte()


@pytest.mark.parametrize("images", [noise(), noise(7), noise().float() / 255, noise().double()])
def test_each_variant_turns_counter_clockwise_as_numpy_and_torchvision_do(images: Tensor) -> None:
    shift = Rotation()
    for variant, angle in enumerate([90, 180, 270], start=1):
        turned = shift(images, variant)
        expected = np.rot90(images.numpy(), variant, axes=(-2, -1))
        assert turned.dtype == images.dtype
        assert np.array_equal(turned.numpy(), expected)
        assert torch.equal(turned, T.rotate(images, angle))


def test_variants_follow_the_order_of_the_angles() -> None:
    shift, images = Rotation(angles=[270, 90]), noise()
    assert shift.variants == 2
    assert torch.equal(shift(images, 1), T.rotate(images, 270))
    assert torch.equal(shift(images, 2), T.rotate(images, 90))


def test_by_default_there_are_three_variants_that_all_differ() -> None:
    shift, images = Rotation(), noise()
    assert shift.variants == 3
    turned = torch.stack([shift(images, variant) for variant in range(4)])
    assert len(turned.unique(dim=0)) == 4


def test_images_that_are_not_square_are_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        Rotation()(torch.zeros(1, 3, 4, 5), 1)


@pytest.mark.parametrize("angles", [[90, 90], []])
def test_repeated_or_no_angles_are_refused(angles: list) -> None:
    with pytest.raises(ValueError, match="angles"):
        Rotation(angles)
