import math

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as T

from adframe.interfaces import RandomKeys
from adframe_droc.augmentation import DROC

PLAIN = {"grayscale_probability": 0.0, "blur_probability": 0.0, "flip_probability": 0.0}
STILL = {**PLAIN, "jitter": (0.0, 0.0, 0.0, 0.0)}


class Constant(RandomKeys):
    """Every draw is the same number."""

    def __init__(self, value: float, count: int) -> None:
        super().__init__(torch.zeros(count, dtype=torch.int64))
        self.value = value

    def uniform(self, *shape: int) -> Tensor:
        return torch.full((len(self), *shape), self.value)


def keys(count: int, seed: int = 0) -> RandomKeys:
    return RandomKeys.from_index(seed, torch.arange(count))


def noise(count: int = 4, size: int = 32) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_the_pipeline_is_torchvisions_at_the_same_parameters() -> None:
    # Every draw is 1/4: a side of 7/8, which is 28 of 32 pixels, a quarter of 4 pixels from the
    # edge; factors at -1/2 of their range; flipped and blurred (< 1/2), not gray (> 0.2).
    images = noise()
    out = DROC(jitter=(0.2, 0.4, 0.4, 0.1))(images, Constant(0.25, 4))
    for image, ours in zip(images, out, strict=True):
        cut = T.hflip(T.resized_crop(image, 1, 1, 28, 28, size=[32, 32], antialias=False))
        colour = (cut - 0.1).clamp(0, 1)
        colour = T.adjust_saturation(T.adjust_contrast(colour, 0.8), 0.8)
        colour = T.adjust_hue(colour, -0.05)
        sigma = 0.1 + 1.9 / 4
        expected = T.gaussian_blur(colour, kernel_size=[3, 3], sigma=[sigma, sigma])
        torch.testing.assert_close(ours, expected, atol=2 / 255, rtol=0)


def test_the_official_code_never_blurs() -> None:
    images = noise()
    crop_only = {**STILL, "blur_probability": 1.0}
    official_code = DROC(**crop_only, official_code=True)(images, keys(4))
    torch.testing.assert_close(official_code, DROC(**STILL)(images, keys(4)))
    assert (DROC(**crop_only)(images, keys(4)) - official_code).abs().max() > 0.05


@pytest.mark.parametrize("shape", [(1, 1), (300, 5), (5, 300), (40, 1)])
def test_images_of_any_shape_are_blurred(shape: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    blurred = DROC(**{**STILL, "blur_probability": 1.0}, smallest=1.0)(images, keys(2))
    assert blurred.shape == images.shape
    assert blurred.isfinite().all()
    same = (blurred - images).abs().max() < 1e-6
    assert same == (shape == (1, 1))


@pytest.mark.slow
def test_the_side_of_the_crop_is_uniform() -> None:
    ramp = torch.linspace(1 / 64, 63 / 64, 32).expand(4000, 3, 32, 32)
    out = DROC(**STILL)(ramp, keys(4000))
    side = (out[:, 0, 0, -1] - out[:, 0, 0, 0]) * 32 / 31
    deviation = 0.5 / math.sqrt(12) / math.sqrt(4000)
    assert side.mean().item() == pytest.approx(0.75, abs=5 * deviation + 0.01)
    assert side.quantile(0.1).item() == pytest.approx(0.55, abs=0.02)


def test_strength_zero_is_the_image_with_a_flip() -> None:
    images = noise(16, 8)
    out = DROC()(images, keys(16), strength=0.0)
    kept = (out - images).abs().amax((1, 2, 3)) < 1e-5
    assert (kept ^ ((out - images.flip(-1)).abs().amax((1, 2, 3)) < 1e-5)).all()
    assert 0 < kept.sum() < 16


def test_an_images_result_does_not_depend_on_its_batch_and_stays_in_range() -> None:
    images, together = noise(8), keys(8)
    whole, rows = DROC()(images, together), torch.tensor([5, 5, 0])
    part = DROC()(images[rows], RandomKeys(together.values[rows]))
    torch.testing.assert_close(part, whole[rows], atol=1e-6, rtol=0)
    assert whole.min() >= 0
    assert whole.max() <= 1


def test_bytes_become_floating_point() -> None:
    images = (noise() * 255).round().byte()
    expected = DROC()(v2.functional.to_dtype(images, torch.float32, scale=True), keys(4))
    torch.testing.assert_close(DROC()(images, keys(4)), expected, atol=1e-6, rtol=0)
