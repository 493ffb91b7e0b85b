"""Residual networks, built from torchvision's blocks."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Interval
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from adframe.interfaces import Backbone


class ResNet18(Backbone):
    """ResNet-18 (He et al., CVPR 2016) from scratch, with a width multiplier.

    Four stages of two basic blocks; images are normalised to -1..1 inside. Parameters are named
    as torchvision names them, so at ``width`` 1 and the ``large`` stem its state dict fits.

    Args:
        width: [published: 1] Multiplies the number of channels, 64-128-256-512, of every stage.
        stem: [published: small] ``small``, a 3x3 convolution and no pooling, for images of about
            32 pixels; ``large``, the usual 7x7 with stride 2 and max-pooling, for about 224.
    """

    def __init__(
        self,
        width: Annotated[float, Interval(gt=0, le=8)] = 1.0,
        stem: Literal["small", "large"] = "small",
    ) -> None:
        super().__init__()
        self.widths = [max(1, round(width * base)) for base in (64, 128, 256, 512)]
        small = stem == "small"
        first = self.widths[0]
        self.conv1 = nn.Conv2d(
            3, first, kernel_size=3 if small else 7, stride=1 if small else 2,
            padding=1 if small else 3, bias=False,
        )  # fmt: skip
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(first, first, stride=1)
        self.layer2 = _stage(first, self.widths[1], stride=2)
        self.layer3 = _stage(self.widths[1], self.widths[2], stride=2)
        self.layer4 = _stage(self.widths[2], self.widths[3], stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        stages = [self.layer1, self.layer2, self.layer3, self.layer4][:depth]
        features = self.maxpool(self.relu(self.bn1(self.conv1(images * 2 - 1))))
        maps = []
        for stage in stages:
            features = stage(features)
            maps.append(features)
        return maps


def _stage(channels_in: int, channels: int, stride: int) -> nn.Sequential:
    downsample = None
    if stride != 1 or channels_in != channels:
        downsample = nn.Sequential(
            _Shortcut(channels_in, channels, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(channels),
        )
    return nn.Sequential(
        BasicBlock(channels_in, channels, stride, downsample), BasicBlock(channels, channels)
    )


class _Shortcut(nn.Conv2d):
    """A strided 1x1 convolution, as a plain one of every other pixel.

    The same numbers. oneDNN's strided one corrupts memory on the CPU in its backward pass for
    channels-last maps of fewer than 8 channels (seen with torch 2.15).
    """

    def forward(self, maps: Tensor) -> Tensor:
        rows, columns = self.stride
        every_other = maps[:, :, ::rows, ::columns]
        return nn.functional.conv2d(every_other, self.weight)
