"""Wide residual networks."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Interval
from torch import Tensor, nn

from adframe.interfaces import Backbone

from .blocks import after, in_turn
from .preprocess import HALF, Deviation, Initialisation, Mean, Preprocess, Side, initialise
from .resnet import _Shortcut as Shortcut

Dropout = Annotated[float, Interval(ge=0, lt=1)]


class WideResNet(Backbone):
    """Wide ResNet (Zagoruyko & Komodakis, BMVC 2016), for images of about 32 pixels.

    Three stages of (depth - 4) / 6 pre-activation blocks each. The map of the last stage is the
    output of the final batch normalisation and ReLU. The maps of the other stages are the sums of
    residuals that the next stage gets. Images are normalised inside.

    Args:
        depth: [published: 10 for GEOM and GOAD, 16 for GEOM's larger net, 40 in iDECODe's code]
            Number of convolutions, 6 n + 4.
        widen_factor: [published: 4 for GEOM and GOAD, 8 for GEOM's larger net, 2 in iDECODe's
            code] Factor of 16-32-64, the numbers of channels of the stages.
        dropout: [published: 0 for GEOM and GOAD, 0.3 in iDECODe's code] Share of the values that
            are dropped between the two convolutions of a block during training.
        official_code: [inferred: GOAD's code has it true] Omits the second batch normalisation
            and ReLU of every block. GOAD's public network computes the first
            convolution again after them and continues with that. The extra work changes no value
            and is not done here.
        size: Pixels per side of the input of the first convolution. Larger images are resized; each
            pixel is the mean of the pixels it covers. By default images keep their size.
        mean: [inferred: 0.5 in GEOM's and GOAD's code; that of CIFAR-10 in iDECODe's] Mean of red,
            green and blue, which is subtracted from images in 0..1.
        std: [inferred: 0.5 in GEOM's and GOAD's code; that of CIFAR-10 in iDECODe's] Standard
            deviations to divide by.
        initialisation: [inferred: fan_in in GEOM's code, fan_out in GOAD's and iDECODe's] First
            weights of convolutions: He's normal distribution, which counts outputs or inputs, or
            PyTorch's default.
        recompute: [guess: from 50 million values a map on, on a CPU] Keeps only the input of each
            block in memory while training, and computes the rest again in the backward pass. The
            values are the same. A step takes about half the memory, and up to a third more time.
    """

    def __init__(
        self,
        depth: Annotated[int, Interval(ge=10, le=1000)] = 10,
        widen_factor: Annotated[float, Interval(gt=0, le=32)] = 4.0,
        dropout: Dropout = 0.0,
        official_code: bool = False,
        size: Side | None = None,
        mean: Mean = HALF,
        std: Deviation = HALF,
        initialisation: Initialisation = "fan_out",
        recompute: bool | None = None,
    ) -> None:
        super().__init__()
        self.recompute = recompute
        self.preprocess = Preprocess(size, mean, std)
        if (depth - 4) % 6:
            raise ValueError(f"depth must be 6 n + 4, such as 10, 16, 28 or 40, not {depth}")
        self.widths = [max(1, round(widen_factor * base)) for base in (16, 32, 64)]
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        stages, channels_in = [], 16
        for level, channels in enumerate(self.widths):
            blocks = [
                _Block(channels_in if i == 0 else channels, channels, 2 if level and i == 0 else 1,
                       dropout, official_code)
                for i in range((depth - 4) // 6)
            ]  # fmt: skip
            stages.append(nn.Sequential(*blocks))
            channels_in = channels
        self.stages = nn.ModuleList(stages)
        self.norm = _norm_relu(channels_in)
        initialise(self, initialisation)

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        features, maps = self.conv1(self.preprocess(images)), []
        for stage in self.stages[:depth]:
            assert isinstance(stage, nn.Sequential)
            features = in_turn(stage, features, self.recompute)
            maps.append(features)
        if len(maps) == len(self.stages):
            maps[-1] = self.norm(features)
        return maps


class _Block(nn.Module):
    """Two 3x3 convolutions, each after batch normalisation and ReLU, added to the shortcut."""

    def __init__(
        self, channels_in: int, channels: int, stride: int, dropout: float, official_code: bool
    ) -> None:
        super().__init__()
        self.norm1 = _norm_relu(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.Identity() if official_code else _norm_relu(channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.shortcut = None
        if stride != 1 or channels_in != channels:
            self.shortcut = Shortcut(channels_in, channels, 1, stride=stride, bias=False)

    def forward(self, features: Tensor, recompute: bool = False) -> Tensor:
        activated = self.norm1(features)
        # If the shape changes, the shortcut also starts from the activated map.
        kept = features if self.shortcut is None else self.shortcut(activated)
        out = after(self.norm2, self.dropout, self.conv2, self.conv1(activated), recompute)
        return kept + out


def _norm_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
