"""Residual networks (He et al., CVPR 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from annotated_types import Interval
from torch import Tensor, nn

from adframe.interfaces import Backbone
from adframe.ops import recomputed

from .blocks import BasicBlock, Bottleneck, Opening, in_turn, recomputes
from .preprocess import HALF, Deviation, Initialisation, Mean, Preprocess, Side, initialise

Width = Annotated[float, Interval(gt=0, le=8)]
Stem = Literal["small", "large"]


class ResNet(Backbone):
    """Common part of the ResNets: four stages of residual blocks.

    Images are normalised inside. Parameters have torchvision's names, so at width 1 with
    the ``large`` stem torchvision's state dict fits; its classifier is dropped.

    Args:
        width: [published: 1] Factor of the number of channels of every stage.
        stem: [published: small] ``small`` is a 3x3 convolution without pooling, for images of
            about 32 pixels. ``large`` is the usual 7x7 with stride 2 and max-pooling, for about
            224.
        size: Pixels per side of the input of the first convolution. Larger images are resized; each
            pixel is the mean of the pixels it covers. Half the side costs a quarter of
            the time. By default images keep their size.
        mean: [inferred: 0.5 in CSI's code; that of CIFAR-10 in SSD's] Mean of red, green and blue,
            which is subtracted from images in 0..1.
        std: [inferred: 0.5 in CSI's code; that of CIFAR-10 in SSD's] Standard deviations to divide
            by.
        initialisation: [inferred: fan_out in DROC's and SSD's code, pytorch in CSI's] First weights
            of convolutions: He's normal distribution, which counts outputs or inputs, or PyTorch's
            default.
        recompute: [guess: from 50 million values a map on, on a CPU] Keeps only the input of each
            block in memory while training, and computes the rest again in the backward pass. The
            values are the same. A step takes about half the memory, and up to a third more time.
    """

    block: ClassVar[type[BasicBlock | Bottleneck]]
    blocks: ClassVar[tuple[int, int, int, int]]

    def __init__(
        self,
        width: Width = 1.0,
        stem: Stem = "small",
        size: Side | None = None,
        mean: Mean = HALF,
        std: Deviation = HALF,
        initialisation: Initialisation = "fan_out",
        recompute: bool | None = None,
    ) -> None:
        super().__init__()
        self.recompute = recompute
        self.preprocess = Preprocess(size, mean, std)
        planes = [max(1, round(width * base)) for base in (64, 128, 256, 512)]
        self.widths = [count * self.block.expansion for count in planes]
        small = stem == "small"
        first = planes[0]
        self.conv1 = nn.Conv2d(
            3, first, kernel_size=3 if small else 7, stride=1 if small else 2,
            padding=1 if small else 3, bias=False,
        )  # fmt: skip
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._stage(0, first, planes[0], stride=1)
        self.layer2 = self._stage(1, self.widths[0], planes[1], stride=2)
        self.layer3 = self._stage(2, self.widths[1], planes[2], stride=2)
        self.layer4 = self._stage(3, self.widths[2], planes[3], stride=2)
        initialise(self, initialisation)

    def _stage(self, index: int, channels_in: int, planes: int, stride: int) -> nn.Sequential:
        channels = self.widths[index]
        downsample = None
        if stride != 1 or channels_in != channels:
            downsample = nn.Sequential(
                _Shortcut(channels_in, channels, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(channels),
            )
        further = [self.block(channels, planes) for _ in range(self.blocks[index] - 1)]
        return nn.Sequential(self.block(channels_in, planes, stride, downsample), *further)

    def renamed(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Without the classifier of a published network."""
        return {name: of for name, of in weights.items() if not name.startswith("fc.")}

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        images, stem = self.preprocess(images), [self.conv1, self.bn1, self.relu, self.maxpool]
        channels = self.conv1.out_channels // self.conv1.stride[0] ** 2
        if self.training and recomputes(self.recompute, images, channels):
            first, *further = self.layer1
            features = recomputed(Opening(nn.Sequential(*stem), first), images)
            stages = [nn.Sequential(*further), self.layer2, self.layer3, self.layer4]
        else:
            features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
            stages = [self.layer1, self.layer2, self.layer3, self.layer4]
        maps = []
        for stage in stages[:depth]:
            features = in_turn(stage, features, self.recompute)
            maps.append(features)
        return maps


class ResNet18(ResNet):
    """ResNet-18 (He et al., CVPR 2016) from scratch, with a width multiplier.

    Four stages of two basic blocks, of 64-128-256-512 channels.
    """

    block = BasicBlock
    blocks = (2, 2, 2, 2)


class ResNet34(ResNet):
    """ResNet-34 (He et al., CVPR 2016) from scratch, with a width multiplier.

    Four stages of 3, 4, 6 and 3 basic blocks, of 64-128-256-512 channels.
    """

    block = BasicBlock
    blocks = (3, 4, 6, 3)


class ResNet50(ResNet):
    """ResNet-50 (He et al., CVPR 2016) from scratch, with a width multiplier.

    Four stages of 3, 4, 6 and 3 bottleneck blocks, the stride in their 3x3 convolution, of
    256-512-1024-2048 channels.
    """

    block = Bottleneck
    blocks = (3, 4, 6, 3)


class _Shortcut(nn.Conv2d):
    """A strided 1x1 convolution, computed as a convolution without stride on every other pixel.

    The values are the same. oneDNN's strided form corrupts memory in its backward pass on the CPU,
    for channels-last maps with fewer than 8 channels (seen with torch 2.15).
    """

    def forward(self, maps: Tensor) -> Tensor:
        rows, columns = self.stride
        every_other = maps[:, :, ::rows, ::columns]
        return nn.functional.conv2d(every_other, self.weight, self.bias)
