import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as T
from scipy import ndimage
from torch import Tensor

from adframe.interfaces import Shift
from adframe_shifts.filters import GaussianBlur, GaussianNoise, Sobel

ALL = [GaussianBlur(), GaussianNoise(), Sobel()]


def noise(size: int = 12, count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, size, size), generator=generator).byte()


@pytest.mark.parametrize("shift", ALL)
@pytest.mark.parametrize("images", [noise(), noise(25), noise().float() / 255])
def test_shape_dtype_and_range_are_kept_and_the_image_changes(shift: Shift, images: Tensor) -> None:
    assert shift.variants == 1
    assert shift(images, 0) is images
    shifted = shift(images, 1)
    assert (shifted.shape, shifted.dtype) == (images.shape, images.dtype)
    assert shifted.min() >= 0
    assert shifted.max() <= (1 if images.is_floating_point() else 255)
    assert not torch.equal(shifted, images)


@pytest.mark.parametrize("shift", ALL)
def test_an_image_is_shifted_alike_in_any_batch(shift: Shift) -> None:
    images = noise()
    whole, again = shift(images, 1), shift(images, 1)
    assert torch.equal(whole, again)
    assert torch.equal(shift(images[2:3], 1), whole[2:3])


@pytest.mark.parametrize(("size", "radius"), [(32, 3), (64, 6)])
def test_blur_is_torchvisions(size: int, radius: int) -> None:
    images = noise(size).float() / 255
    expected = T.gaussian_blur(images, [2 * radius + 1] * 2, [size / 32] * 2)
    torch.testing.assert_close(GaussianBlur()(images, 1), expected)


def test_noise_has_the_deviation_asked_for_and_differs_between_images() -> None:
    gray = torch.full((2, 3, 64, 64), 128, dtype=torch.uint8)
    gray[1, 0, 0, 0] = 127
    added = GaussianNoise(std=0.1)(gray, 1).double() / 255 - gray.double() / 255
    assert abs(added.std() - 0.1) < 0.003
    assert abs(added.mean()) < 0.003
    assert abs(np.corrcoef(added.flatten(1).numpy())[0, 1]) < 0.05


def test_noise_is_the_same_on_floating_point_however_often() -> None:
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(GaussianNoise()(images, 1), GaussianNoise()(images.clone(), 1))


def test_sobel_is_scipys() -> None:
    images = noise().double() / 255
    gray = (images * torch.tensor([0.2989, 0.587, 0.114]).double()[:, None, None]).sum(1).numpy()
    for image, plane in zip(Sobel()(images, 1), gray, strict=True):
        gradient = [ndimage.sobel(plane, axis, mode="nearest") / 4 for axis in (0, 1)]
        expected = np.minimum(np.hypot(*gradient), 1)
        for channel in image:
            np.testing.assert_allclose(channel.numpy(), expected, atol=1e-6)


def test_sobel_of_a_flat_image_is_black() -> None:
    assert not Sobel()(torch.full((1, 3, 9, 9), 77, dtype=torch.uint8), 1).any()
