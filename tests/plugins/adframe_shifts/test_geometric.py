import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as T
from scipy import ndimage
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


@pytest.mark.parametrize("border", ["reflect", "symmetric"])
@pytest.mark.parametrize("share", [0.25, 0.9])
@pytest.mark.parametrize("size", [8, 25, 32])
def test_translation_pads_by_mirrored_pixels_and_crops(border, share, size) -> None:
    images, far = noise(size), round(share * size)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (far, far), (far, far)), mode=border)
    shift, seen = Translation(share=share, border=border), set()
    assert shift.variants == 8
    for variant in range(9):
        x, y = shift.moves[variant]
        top, left = far - y * far, far - x * far
        expected = padded[:, :, top : top + size, left : left + size]
        assert np.array_equal(shift(images, variant).numpy(), expected)
        seen.add((x, y))
    assert seen == {(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)}


@pytest.mark.parametrize(("border", "mode"), [("reflect", "mirror"), ("symmetric", "reflect")])
def test_translation_is_scipys_shift(border: str, mode: str) -> None:
    images, shift = noise(32), Translation(border=border)
    for variant, (x, y) in enumerate(shift.moves):
        moved = ndimage.shift(images.numpy(), (0, 0, 8 * y, 8 * x), order=1, mode=mode)
        assert np.array_equal(shift(images, variant).numpy(), moved)


def test_by_default_the_edge_pixel_is_not_repeated() -> None:
    image = torch.arange(8).view(1, 1, 1, 8).expand(1, 3, 8, 8).byte()
    assert Translation("x")(image, 2)[0, 0, 0].tolist() == [2, 1, 0, 1, 2, 3, 4, 5]
    symmetric = Translation("x", border="symmetric")
    assert symmetric(image, 2)[0, 0, 0].tolist() == [1, 0, 0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("axes", ["x", "y"])
def test_translation_along_one_axis_has_two_variants(axes: str) -> None:
    shift = Translation(axes)
    assert shift.variants == 2
    image = torch.arange(64).view(1, 1, 8, 8).expand(1, 3, 8, 8).byte()
    moved, before = shift(image, 2), image
    if axes == "y":
        moved, before = moved.mT, before.mT
    assert torch.equal(moved[..., 2:], before[..., :-2])
