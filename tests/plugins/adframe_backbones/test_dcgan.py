import pytest
import torch
from torch import nn
from torch.nn import functional as F

from adframe_backbones.dcgan import DCGAN, Generator


def test_the_discriminator_equals_its_layers_written_out() -> None:
    torch.manual_seed(0)
    net = DCGAN(width=0.125).eval()
    x = torch.rand(2, 3, 16, 16)
    found = net(x)
    x = x * 2 - 1
    for index, stage in enumerate(net.stages):
        x = F.conv2d(x, stage[0].weight, stride=2, padding=1)
        if index:
            x = x / (1 + 1e-5) ** 0.5 * stage[1].weight.view(-1, 1, 1)
        x = torch.where(x > 0, x, 0.2 * x)
        torch.testing.assert_close(found[index], x, rtol=1e-4, atol=1e-6)


def test_the_generator_equals_its_layers_written_out() -> None:
    torch.manual_seed(0)
    net = Generator(5, [8, 4], (7, 6)).eval()
    code = torch.rand(3, 5)
    x = (code @ net.start.weight.T).view(3, 8, 2, 2)
    for norm, convolution in ((net.layers[0], net.layers[2]), (net.layers[3], net.layers[5])):
        x = (x / (1 + 1e-5) ** 0.5 * norm.weight.view(-1, 1, 1)).clamp(min=0)
        x = F.conv_transpose2d(x, convolution.weight, stride=2, padding=1)
    expected = (x[:, :, :7, :6].tanh() + 1) / 2
    torch.testing.assert_close(net(code), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (25, 25), (9, 16)])
def test_images_have_the_size_of_the_data_and_a_mirrored_network(size: tuple[int, int]) -> None:
    trunk = DCGAN(width=0.125)
    made = Generator(4, trunk.widths[::-1], size)(torch.rand(2, 4))
    assert made.shape == (2, 3, *size)
    assert 0 <= made.min() <= made.max() <= 1
    assert trunk.widths == [8, 16, 32]


def test_weights_are_drawn_as_published() -> None:
    torch.manual_seed(0)
    for net in (DCGAN(), Generator(256, [256, 128, 64], (32, 32))):
        weights = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        deviation = torch.cat([w.flatten() for w in weights]).detach().std()
        assert float(deviation) == pytest.approx(0.02, rel=0.02)
