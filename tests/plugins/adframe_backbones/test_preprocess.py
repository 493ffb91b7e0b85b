import pytest
import torch
from torch import Tensor

import adframe
from adframe_backbones.preprocess import preprocess


def images(side: int) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_every_pixel_is_the_mean_of_what_it_covers() -> None:
    x = images(12)
    small = preprocess(x, 4)
    for row in range(4):
        for column in range(4):
            covered = x[:, :, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
            expected = covered.mean(dim=(2, 3)) * 2 - 1
            torch.testing.assert_close(small[:, :, row, column], expected)


def test_turning_commutes_with_it() -> None:
    x = images(16)
    torch.testing.assert_close(preprocess(x.rot90(1, (2, 3)), 8), preprocess(x, 8).rot90(1, (2, 3)))


@pytest.mark.parametrize("size", [None, 8])
def test_nothing_is_resized_without_need(size: int | None) -> None:
    x = images(8)
    assert torch.equal(preprocess(x, size), x * 2 - 1)


@pytest.mark.parametrize("name", ["resnet18", "wide_resnet"])
def test_a_network_sees_what_it_is_told(name: str) -> None:
    networks = []
    for size in (None, 16):
        torch.manual_seed(0)
        networks.append(adframe.build("backbone", {"name": name, "size": size}).eval())
    whole, small = networks
    x = images(32)
    with torch.no_grad():
        seen = small(x)
        expected = whole(preprocess(x, 16) / 2 + 0.5)
    for mine, other in zip(seen, expected, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)
    assert seen[0].shape[-1] == 16
