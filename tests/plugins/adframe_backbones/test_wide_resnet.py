import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adframe_backbones.wide_resnet import WideResNet


def images(size: int = 12, count: int = 3) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def trained(**options: object) -> WideResNet:
    """A network whose batch normalisations have statistics as if trained."""
    torch.manual_seed(0)
    net = WideResNet(**options)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return net


def norm_relu(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    values = [state[f"{name}.0.{key}"].view(-1, 1, 1)
              for key in ("running_mean", "running_var", "weight", "bias")]  # fmt: skip
    mean, var, weight, bias = values
    return ((x - mean) / (var + 1e-5).sqrt() * weight + bias).clamp(min=0)


def by_hand(state: dict[str, Tensor], x: Tensor, blocks: int, official_code: bool) -> list[Tensor]:
    x, maps = F.conv2d(x * 2 - 1, state["conv1.weight"], padding=1), []
    for stage in range(3):
        for block in range(blocks):
            name = f"stages.{stage}.{block}"
            stride = 2 if stage and not block else 1
            active = norm_relu(x, state, f"{name}.norm1")
            out = F.conv2d(active, state[f"{name}.conv1.weight"], stride=stride, padding=1)
            if not official_code:
                out = norm_relu(out, state, f"{name}.norm2")
            out = F.conv2d(out, state[f"{name}.conv2.weight"], padding=1)
            if f"{name}.shortcut.weight" in state:
                x = F.conv2d(active, state[f"{name}.shortcut.weight"], stride=stride)
            x = x + out
        maps.append(x)
    maps[-1] = norm_relu(x, state, "norm")
    return maps


@pytest.mark.parametrize("official_code", [False, True])
@pytest.mark.parametrize(("depth", "widen"), [(10, 1), (16, 0.5)])
def test_equals_the_blocks_written_out(depth: int, widen: float, official_code: bool) -> None:
    net = trained(depth=depth, widen_factor=widen, official_code=official_code).eval()
    with torch.no_grad():
        expected = by_hand(net.state_dict(), images(), (depth - 4) // 6, official_code)
        for mine, other in zip(net(images()), expected, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("depth", "widen", "millions"), [(40, 2, 2.2), (16, 8, 11.0)])
def test_is_as_large_as_published_with_a_classifier_of_ten(depth, widen, millions) -> None:
    net = WideResNet(depth=depth, widen_factor=widen)
    parameters = sum(p.numel() for p in net.parameters()) + 10 * (net.widths[-1] + 1)
    assert parameters / 1e6 == pytest.approx(millions, abs=0.05)


def test_halves_odd_sizes_upwards_and_has_the_widths_it_says() -> None:
    net = WideResNet(widen_factor=0.5)
    assert [tuple(m.shape) for m in net(images(25))] == [
        (3, 8, 25, 25), (3, 16, 13, 13), (3, 32, 7, 7),
    ]  # fmt: skip
    assert net.widths == [8, 16, 32]


@pytest.mark.parametrize("depth", [1, 2])
def test_a_shallow_pass_gives_the_first_maps_of_a_deep_one_and_no_more(depth: int) -> None:
    net, fired = WideResNet(widen_factor=0.25).eval(), []
    for stage in net.stages:
        stage.register_forward_hook(lambda *_: fired.append(1))
    with torch.no_grad():
        shallow = net(images(), depth)
        assert len(fired) == len(shallow) == depth
        for mine, other in zip(shallow, net(images()), strict=False):
            assert torch.equal(mine, other)


def test_dropout_is_for_training_alone() -> None:
    net = WideResNet(widen_factor=0.5, dropout=0.5)
    net.eval()
    assert torch.equal(net(images())[-1], net(images())[-1])
    torch.manual_seed(0)
    net.train()
    assert not torch.equal(net(images())[0], net(images())[0])


@pytest.mark.parametrize("depth", [11, 28 + 5])
def test_a_depth_that_makes_no_blocks_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="6 n \\+ 4"):
        WideResNet(depth=depth)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.3}, {"official_code": True}])
def test_recomputed_maps_have_the_same_gradients_and_statistics(options):
    images, found = torch.rand(2, 3, 16, 16), []
    for recompute in (False, True):
        torch.manual_seed(0)
        net = WideResNet(10, 1.0, recompute=recompute, **options)
        net(images)[-1].square().sum().backward()
        found.append([*(p.grad for p in net.parameters()), *net.buffers()])
    assert all(map(torch.equal, *found))
