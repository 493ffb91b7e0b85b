import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as T
from torch import Tensor

from adframe_shifts.geometric import CutPerm, Flip, Rotation, Translation


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


def test_variant_zero_is_the_image_itself() -> None:
    images = noise()
    assert Rotation()(images, 0) is images


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


def test_the_images_are_left_as_they_were() -> None:
    images = noise()
    before = images.clone()
    Rotation()(images, 1).zero_()
    assert torch.equal(images, before)


def test_images_that_are_not_square_are_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        Rotation()(torch.zeros(1, 3, 4, 5), 1)


@pytest.mark.parametrize("angles", [[90, 90], []])
def test_repeated_or_no_angles_are_refused(angles: list) -> None:
    with pytest.raises(ValueError, match="angles"):
        Rotation(angles)


@pytest.mark.parametrize("size", [6, 7])
def test_cutperm_swaps_halves(size: int) -> None:
    images, half = noise(size), size // 2
    rows = torch.cat([images[..., half:, :], images[..., :half, :]], dim=-2)
    columns = torch.cat([images[..., half:], images[..., :half]], dim=-1)
    both = torch.cat([rows[..., half:], rows[..., :half]], dim=-1)
    shift = CutPerm()
    assert torch.equal(shift(images, 0), images)
    assert torch.equal(shift(images, 1), columns)
    assert torch.equal(shift(images, 2), rows)
    assert torch.equal(shift(images, 3), both)


def test_flip_mirrors_left_to_right() -> None:
    assert torch.equal(Flip()(noise(), 1), T.horizontal_flip(noise()))


@pytest.mark.parametrize("size", [8, 25, 32])
def test_translation_pads_by_reflection_and_crops(size: int) -> None:
    images, far = noise(size), round(size / 4)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (far, far), (far, far)), mode="reflect")
    shift, seen = Translation(), set()
    assert shift.variants == 8
    for variant in range(9):
        x, y = shift.moves[variant]
        top, left = far - y * far, far - x * far
        expected = padded[:, :, top : top + size, left : left + size]
        assert np.array_equal(shift(images, variant).numpy(), expected)
        seen.add((x, y))
    assert seen == {(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)}


@pytest.mark.parametrize("axes", ["x", "y"])
def test_translation_along_one_axis_has_two_variants(axes: str) -> None:
    shift = Translation(axes)
    assert shift.variants == 2
    image = torch.arange(64).view(1, 1, 8, 8).expand(1, 3, 8, 8).byte()
    moved, before = shift(image, 2), image
    if axes == "y":
        moved, before = moved.mT, before.mT
    assert torch.equal(moved[..., 2:], before[..., :-2])
