"""Tests of the contract for the default model, and of equal feature maps for all models."""

import pytest
import torch

timm = pytest.importorskip("timm", reason="needs timm: pip install 'adframe[examples]'")

from timm_backbones import plugin  # noqa: E402
from timm_backbones.backbone import Model, Timm  # noqa: E402

from adframe.testing import cases  # noqa: E402


@pytest.mark.parametrize("case", cases(plugin), ids=str)
def test_contract(case):
    case()


@pytest.mark.parametrize("model", Model.__args__)
def test_the_maps_are_timms(model):
    net = Timm(model).eval()
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = net.net(images * 2 - 1)
        for depth in range(1, len(net.widths) + 1):
            for found, map_ in zip(net(images, depth), expected[:depth], strict=True):
                torch.testing.assert_close(found, map_)
