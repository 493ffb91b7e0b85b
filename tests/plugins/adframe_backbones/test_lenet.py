import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adframe_backbones.lenet import LeNet, global_contrast


def images(size: int = 12, count: int = 3) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_contrast_is_normalised_image_by_image() -> None:
    x = images() * 3 - 1
    x[2] = 0.7  # one colour
    made = global_contrast(x)
    for image, result in zip(x[:2].tolist(), made, strict=False):
        values = [value for plane in image for row in plane for value in row]
        mean = sum(values) / len(values)
        scale = sum(abs(value - mean) for value in values) / len(values)
        expected = torch.tensor([(value - mean) / scale for value in values])
        torch.testing.assert_close(result.flatten(), expected, rtol=1e-4, atol=1e-5)
    assert made[2].abs().max() < 0.5
    torch.testing.assert_close(made[:2], global_contrast(5 * x[:2] + 2), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bias", [False, True])
def test_equals_the_layers_written_out(bias: bool) -> None:
    torch.manual_seed(0)
    net = LeNet(width=0.125, bias=bias, slope=0.1).eval()
    x = images() * 2 - 1
    expected = []
    for stage in net.stages:
        x = F.conv2d(x, stage[0].weight, stage[0].bias, padding=2) / (1 + 1e-4) ** 0.5
        x = torch.where(x > 0, x, 0.1 * x)
        x = F.max_pool2d(F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), value=-1e9), 2)
        expected.append(x)
    with torch.no_grad():
        for mine, other in zip(net(images()), expected, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_is_the_published_network() -> None:
    """As Deep SVDD's code prints it: 32-64-128, no bias, 32x32 pixels to 128 maps of 4x4."""
    net = LeNet()
    assert [tuple(map_.shape[1:]) for map_ in net(images(32))] == [
        (32, 16, 16), (64, 8, 8), (128, 4, 4),
    ]  # fmt: skip
    assert sum(p.numel() for p in net.parameters()) == 25 * (3 * 32 + 32 * 64 + 64 * 128)
    assert not [name for name, _ in net.named_parameters() if "bias" in name]
    assert [m.eps for m in net.modules() if isinstance(m, nn.BatchNorm2d)] == [1e-4] * 3


@pytest.mark.parametrize("side", [5, 25])
def test_sizes_that_do_not_halve_are_rounded_up(side: int) -> None:
    halves = [-(-side // 2**stage) for stage in (1, 2, 3)]
    assert [m.shape[-1] for m in LeNet(width=0.125)(images(side))] == halves
