import pytest
import torch
import torchvision
from torch import Tensor, nn

from adframe_backbones.resnet import ResNet18, ResNet34, ResNet50


def images(size: int, count: int = 2) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def torchvisions(small: bool) -> nn.Module:
    """Torchvision's network, with statistics as if trained; ``small`` as CSI changes it."""
    torch.manual_seed(0)
    net = torchvision.models.resnet18()
    if small:
        net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        net.maxpool = nn.Identity()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return net


def maps_of(net: nn.Module, x: Tensor) -> list[Tensor]:
    maps: list[Tensor] = []
    stages = [net.layer1, net.layer2, net.layer3, net.layer4]
    hooks = [stage.register_forward_hook(lambda *args: maps.append(args[2])) for stage in stages]
    net(x)
    for hook in hooks:
        hook.remove()
    return maps


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("stem", "size"), [("large", 64), ("small", 16)])
def test_equals_torchvisions_resnet18_with_its_state_dict(
    stem: str, size: int, training: bool
) -> None:
    theirs = torchvisions(small=stem == "small")
    state = {key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")}
    ours = ResNet18(stem=stem)
    ours.load_state_dict({key: value.clone() for key, value in state.items()})  # strictly
    ours.train(training)
    theirs.train(training)
    with torch.no_grad():
        expected = maps_of(theirs, images(size) * 2 - 1)
        maps = ours(images(size))
    assert len(maps) == len(expected) == 4
    for mine, other in zip(maps, expected, strict=True):
        torch.testing.assert_close(mine, other)
    assert maps[-1].std() > 0.01


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_computes_no_deeper_than_asked(depth: int) -> None:
    net, fired = ResNet18(width=0.125), []
    for level in range(1, 5):
        stage = getattr(net, f"layer{level}")
        stage.register_forward_hook(lambda *_, level=level: fired.append(level))
    maps = net(images(16), depth)
    assert fired == list(range(1, depth + 1))
    maps[-1].sum().backward()
    deeper = [getattr(net, f"layer{level}") for level in range(depth + 1, 5)]
    assert all(p.grad is None for stage in deeper for p in stage.parameters())
    assert net.conv1.weight.grad is not None


@pytest.mark.parametrize(
    ("width", "widths"),
    [
        (1.0, [64, 128, 256, 512]),
        (0.25, [16, 32, 64, 128]),
        (1.5, [96, 192, 384, 768]),
        (0.001, [1, 1, 1, 1]),
    ],
)
def test_width_multiplies_the_channels_of_every_stage(width: float, widths: list[int]) -> None:
    net = ResNet18(width=width)
    assert net.widths == widths
    with torch.no_grad():
        assert [m.shape[1] for m in net(images(8))] == widths


@pytest.mark.parametrize(
    ("stem", "size", "sizes"), [("small", 32, [32, 16, 8, 4]), ("large", 64, [16, 8, 4, 2])]
)
def test_maps_halve_from_stage_to_stage(stem: str, size: int, sizes: list[int]) -> None:
    net = ResNet18(width=0.125, stem=stem)
    with torch.no_grad():
        shapes = [tuple(m.shape) for m in net(images(size))]
    assert shapes == [(2, w, s, s) for w, s in zip([8, 16, 32, 64], sizes, strict=True)]


def test_normalises_zero_to_one_into_minus_one_to_one() -> None:
    net, seen = ResNet18(width=0.125), []
    net.conv1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net(torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 3, 8, 8), 1)
    assert seen[0].unique().tolist() == [-1, 0, 1]
    assert torch.equal(seen[0][:, 0, 0, 0], torch.tensor([-1.0, 0.0, 1.0]))


@pytest.mark.parametrize(
    ("ours", "theirs", "expansion"),
    [(ResNet34, torchvision.models.resnet34, 1), (ResNet50, torchvision.models.resnet50, 4)],
)
def test_deeper_ones_equal_torchvisions_with_their_state_dict(
    ours: type[ResNet34 | ResNet50], theirs: type[nn.Module], expansion: int
) -> None:
    torch.manual_seed(0)
    other = theirs().eval()
    net = ours(stem="large").eval()
    state = {key: value for key, value in other.state_dict().items() if not key.startswith("fc.")}
    net.load_state_dict(state)  # strictly
    with torch.no_grad():
        maps, expected = net(images(32)), maps_of(other, images(32) * 2 - 1)
    for mine, their, width in zip(maps, expected, (64, 128, 256, 512), strict=True):
        torch.testing.assert_close(mine, their, atol=1e-4, rtol=1e-4)
        assert mine.shape[1] == width * expansion
    assert ours(width=0.125).widths == [8 * expansion * 2**stage for stage in range(4)]


@pytest.mark.parametrize("stem", ["small", "large"])
@pytest.mark.parametrize("network", [ResNet18, ResNet50])
def test_recomputed_maps_have_the_same_gradients_and_statistics(network, stem):
    images, found = torch.rand(2, 3, 32, 32), []
    for recompute in (False, True):
        torch.manual_seed(0)
        net = network(0.125, stem=stem, recompute=recompute)
        net(images)[-1].square().sum().backward()
        found.append([*(p.grad for p in net.parameters()), *net.buffers()])
    assert all(map(torch.equal, *found))
