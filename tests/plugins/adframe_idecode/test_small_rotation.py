import pytest
import torch
import torchvision.transforms.v2.functional as T
from torch import Tensor

from adframe.interfaces import RandomKeys
from adframe_idecode.small_rotation import SmallRotation, turned


def images(count: int = 8, height: int = 9, width: int = 9) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height", "width"), [(9, 9), (8, 13)])
def test_each_image_is_turned_as_torchvision_turns_it(height: int, width: int) -> None:
    x, degrees = images(4, height, width), torch.tensor([-10.0, 0.0, 3.0, 45.0])
    found = turned(x, degrees, 0.25)
    for image, made, angle in zip(x, found, degrees.tolist(), strict=True):
        # Zeros move in; a mask turned along says where, to fill as Pillow's blending would.
        expected = T.rotate(image, angle, T.InterpolationMode.BILINEAR)
        mask = T.rotate(torch.ones_like(image), angle, T.InterpolationMode.BILINEAR)
        torch.testing.assert_close(made, expected + 0.25 * (1 - mask), atol=1e-5, rtol=0)


def test_a_quarter_turn_is_counter_clockwise_and_exact() -> None:
    quarter = turned(images(), torch.full((8,), 90.0), 0.5)
    torch.testing.assert_close(quarter, torch.rot90(images(), 1, (-2, -1)), atol=1e-5, rtol=0)


def test_angles_are_whole_degrees_of_the_range_and_belong_to_the_image() -> None:
    x, keys = images(1).expand(200, -1, -1, -1), RandomKeys.from_index(0, torch.arange(200))
    tilted = SmallRotation(degrees=2, fill=0.5)(x, keys)
    allowed = turned(images(1).expand(5, -1, -1, -1), torch.arange(-2.0, 3.0), 0.5)
    nearest = (tilted[:, None] - allowed).flatten(2).abs().amax(2)
    assert float(nearest.amin(1).max()) < 1e-4
    assert set(nearest.argmin(1).tolist()) == {0, 1, 2, 3, 4}
    part = SmallRotation(degrees=2, fill=0.5)(x[:7], RandomKeys(keys.values[50:57]))
    torch.testing.assert_close(part, tilted[50:57])


def test_bytes_become_floating_point_and_strength_zero_does_nothing() -> None:
    x = (images() * 255).byte()
    tilted = SmallRotation()(x, RandomKeys.from_index(0, torch.arange(8)), 0.0)
    torch.testing.assert_close(tilted, x.float() / 255, atol=1e-6, rtol=0)
