import pytest
import torch
from torch.nn import functional as F

from adframe_backbones.resnet import ResNet18
from adframe_methods.heads import ProjectionHead


@pytest.mark.parametrize("size", [32, 28, 17])
@pytest.mark.parametrize("stem", ["small", "large"])
def test_brings_every_stages_map_to_the_shape_of_the_last(size: int, stem: str) -> None:
    net = ResNet18(width=0.125, stem=stem)
    maps = net(torch.rand(2, 3, size, size))
    for level, features in enumerate(maps, start=1):
        head = ProjectionHead(net.widths[level - 1 :], hidden=7, out=5)
        assert head.downsample(features).shape == maps[-1].shape
        assert head(features).shape == (2, 5)


def test_of_the_last_stage_is_pooling_and_two_linear_layers() -> None:
    torch.manual_seed(0)
    head, features = ProjectionHead([6], hidden=7, out=5), torch.randn(4, 6, 3, 3)
    first, second = (layer for layer in head.project if isinstance(layer, torch.nn.Linear))
    pooled = features.flatten(2).mean(2)
    hidden = F.relu(pooled @ first.weight.T + first.bias)
    torch.testing.assert_close(head(features), hidden @ second.weight.T + second.bias)
    assert not list(head.downsample)
    assert first.out_features == 7


def test_every_parameter_is_trained() -> None:
    torch.manual_seed(0)
    head = ProjectionHead([4, 8, 16], hidden=12, out=5)
    head(torch.randn(6, 4, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in head.parameters())
