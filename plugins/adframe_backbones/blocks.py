"""The residual blocks of ResNets (He et al., CVPR 2016), without the import of torchvision.

Parameters have torchvision's names and values are equal to those of its blocks; importing
``torchvision.models`` would take longer than importing torch.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from adframe.ops import recomputed

#: Values of a feature map from which ``recompute`` is on by default, in float32 and in bfloat16: a
#: choice. Maps of small images stay, since then weights and images take as much memory.
LARGE = 50_000_000


def conv3x3(channels_in: int, channels: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution without bias that keeps the size, or divides it by ``stride``."""
    return nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)


def conv1x1(channels_in: int, channels: int) -> nn.Conv2d:
    """A 1x1 convolution without bias."""
    return nn.Conv2d(channels_in, channels, 1, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (N, in, H, W) to (N, planes, H / stride, W / stride).

    Args:
        channels_in: channels of the input.
        planes: channels of the output.
        stride: stride of the first convolution.
        downsample: what brings the input to the shape of the output; None if it has that shape.
    """

    expansion: ClassVar[int] = 1

    def __init__(
        self, channels_in: int, planes: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels_in, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, maps: Tensor, recompute: bool = False) -> Tensor:
        """The block of (N, channels_in, H, W) floating-point maps.

        With ``recompute``, rectified maps are not kept for the backward pass.
        """
        shortcut = maps if self.downsample is None else self.downsample(maps)
        out = self.conv1(maps)
        out = self.bn2(after(self.bn1, self.relu, self.conv2, out, recompute))
        out += shortcut
        rectified: Tensor = self.relu(out)
        return rectified


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution and a shortcut; the output has 4 ``planes`` channels.

    Args:
        channels_in: channels of the input.
        planes: channels of the 3x3 convolution, which has the stride.
        stride: stride of the 3x3 convolution.
        downsample: what brings the input to the shape of the output; None if it has that shape.
    """

    expansion: ClassVar[int] = 4

    def __init__(
        self, channels_in: int, planes: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = conv1x1(channels_in, planes)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = conv1x1(planes, planes * self.expansion)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, maps: Tensor, recompute: bool = False) -> Tensor:
        """The block of (N, channels_in, H, W) floating-point maps.

        With ``recompute``, rectified maps are not kept for the backward pass.
        """
        shortcut = maps if self.downsample is None else self.downsample(maps)
        out = self.conv1(maps)
        out = after(self.bn1, self.relu, self.conv2, out, recompute)
        out = self.bn3(after(self.bn2, self.relu, self.conv3, out, recompute))
        out += shortcut
        rectified: Tensor = self.relu(out)
        return rectified


def after(
    first: nn.Module, then: nn.Module, conv: nn.Module, maps: Tensor, recompute: bool
) -> Tensor:
    """``conv(then(first(maps)))``; with ``recompute`` only ``maps`` are kept while training.

    For what costs little next to a convolution: the convolution itself is not computed again.
    """
    if recompute:
        return recomputed(nn.Sequential(first, then, conv), maps)
    result: Tensor = conv(then(first(maps)))
    return result


class Opening(nn.Module):
    """The stem of a network and its first block, of which ``recomputed`` keeps only the images."""

    def __init__(self, stem: nn.Module, block: nn.Module) -> None:
        super().__init__()
        self.stem = stem
        self.block = block

    def forward(self, images: Tensor) -> Tensor:
        """The block's output for (N, 3, H, W) normalised images."""
        result: Tensor = self.block(recomputed(self.stem, images), recompute=True)
        return result


def in_turn(blocks: nn.Sequential, features: Tensor, recompute: bool | None) -> Tensor:
    """Blocks one after another; with ``recompute`` only their inputs are kept while training."""
    if not (blocks.training and recomputes(recompute, features, features.shape[1])):
        result: Tensor = blocks(features)
        return result
    for block in blocks:
        features = recomputed(block, features, recompute=True)
    return features


def recomputes(wanted: bool | None, inputs: Tensor, channels: int) -> bool:
    """Whether to recompute maps of so many channels and the size of the input.

    None stands for yes on a CPU, from 50 million values on.
    """
    if wanted is None:
        values = inputs.numel() * channels / inputs.shape[1]
        wanted = values >= LARGE and inputs.device.type == "cpu"
    return wanted and torch.is_grad_enabled()
