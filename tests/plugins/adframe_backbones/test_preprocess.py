import pytest
import torch
from torch import Tensor

import adframe
from adframe_backbones.preprocess import Preprocess

NETWORKS = ["resnet18", "wide_resnet"]


def images(side: int) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))


def preprocess(x: Tensor, size: int | None = None) -> Tensor:
    made: Tensor = Preprocess(size)(x)
    return made


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


@pytest.mark.parametrize("name", NETWORKS)
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


def test_each_channel_is_normalised_by_its_own_mean_and_deviation() -> None:
    from torchvision.transforms.functional import normalize

    mean, std = (0.491, 0.482, 0.447), (0.202, 0.199, 0.201)
    x = images(8)
    expected = normalize(x, list(mean), list(std))
    torch.testing.assert_close(Preprocess(None, mean, std)(x), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_takes_a_mean_a_deviation_and_an_initialisation(name: str) -> None:
    options = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0], "initialisation": "fan_in"}
    torch.manual_seed(0)
    raw = adframe.build("backbone", {"name": name, **options}).eval()
    plain = adframe.build("backbone", {"name": name, "initialisation": "fan_in"}).eval()
    plain.load_state_dict(raw.state_dict())
    x = images(16)
    with torch.no_grad():
        torch.testing.assert_close(raw(x)[-1], plain((x + 1) / 2)[-1], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("how", ["fan_out", "fan_in", "pytorch"])
def test_convolutions_start_as_told(name: str, how: str) -> None:
    torch.manual_seed(0)
    network = adframe.build("backbone", {"name": name, "initialisation": how})
    strided = next(
        module
        for module in network.modules()
        if isinstance(module, torch.nn.Conv2d)
        and module.kernel_size == (3, 3)
        and module.out_channels == 2 * module.in_channels
    )
    inputs = 9 * strided.in_channels
    variance = {"fan_in": 2 / inputs, "fan_out": 1 / inputs, "pytorch": 1 / (3 * inputs)}[how]
    assert float(strided.weight.detach().var()) == pytest.approx(variance, rel=0.05)
