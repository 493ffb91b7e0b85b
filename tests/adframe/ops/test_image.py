import pytest
import torch
import torchvision.transforms.v2.functional as T
from torch import Tensor

from adframe.ops import gaussian_blur, luma, restore_dtype, to_float


def noise(count: int = 3, height: int = 12, width: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, height, width), generator=generator).byte()


def test_uint8_becomes_float32_and_back() -> None:
    images = noise()
    values = to_float(images)
    torch.testing.assert_close(values, T.to_dtype(images, torch.float32, scale=True))
    assert torch.equal(restore_dtype(values, images), images)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_floating_point_keeps_its_dtype(dtype: torch.dtype) -> None:
    images = torch.rand(2, 3, 4, 4).to(dtype)
    assert to_float(images) is images
    back = restore_dtype(images.double().permute(0, 1, 3, 2), images)
    assert back.dtype == dtype
    assert back.is_contiguous()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_luma_is_torchvisions(dtype: torch.dtype) -> None:
    images = to_float(noise()).to(dtype)
    before = images.clone()
    torch.testing.assert_close(luma(images), T.rgb_to_grayscale(images), atol=1e-6, rtol=0)
    assert torch.equal(images, before)


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_blur_is_torchvisions_for_the_sigma_of_each_image(radius: int) -> None:
    images, sigmas = to_float(noise(3)), torch.tensor([0.1, 0.7, 2.0])
    out = gaussian_blur(images, sigmas, radius)
    for image, sigma, ours in zip(images, sigmas.tolist(), out, strict=True):
        expected = T.gaussian_blur(image, [2 * radius + 1] * 2, [sigma] * 2)
        torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)


def test_blur_along_one_axis_leaves_the_other() -> None:
    rows = to_float(noise(1))[:, :, :1].expand(-1, -1, 12, -1)  # all rows are equal
    sigma = torch.tensor([1.0])
    torch.testing.assert_close(gaussian_blur(rows, sigma, 3, [-2]), rows)
    both = gaussian_blur(rows, sigma, 3)
    torch.testing.assert_close(gaussian_blur(rows, sigma, 3, [-1]), both)
    assert not torch.allclose(both, rows, atol=1e-2)
